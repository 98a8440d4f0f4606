// Reads one JSON string a line, writes what split-sms makes of it: {"encoding": "GSM"|"Unicode", "parts": [...]}.
'use strict';

const readline = require('node:readline');
const splitter = require('split-sms');

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', (line) => {
  const { characterSet, parts } = splitter.split(JSON.parse(line));
  process.stdout.write(JSON.stringify({ encoding: characterSet, parts: parts.map((part) => part.content) }) + '\n');
});
