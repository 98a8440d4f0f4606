// Reads {"transport": {…}, "mails": [{…}]}, sends them all at once as a program would, and writes what became of each.
import { text } from 'node:stream/consumers';
import nodemailer from 'nodemailer';

const { transport, mails } = JSON.parse(await text(process.stdin));
const transporter = nodemailer.createTransport(transport);
const told = ({ accepted, rejected, response }) => ({ accepted, rejected, response });
const failed = ({ code, responseCode, response, rejected }) => ({ code, responseCode, response, rejected });
const ends = await Promise.allSettled(mails.map((mail) => transporter.sendMail(mail)));
transporter.close();
process.stdout.write(JSON.stringify(ends.map((end) => (end.value ? told(end.value) : { error: failed(end.reason) }))));
