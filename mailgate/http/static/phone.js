"use strict";
// One simulated phone: asks for its texts every second while it is looked at, and posts what is typed.
(() => {
  const phone = document.getElementById("phone");
  const talk = document.getElementById("talk");
  const empty = document.getElementById("empty");
  const form = document.getElementById("answer");
  const to = document.getElementById("to");
  const text = document.getElementById("text");
  const status = document.getElementById("status");
  const send = form.querySelector("button");
  const here = "/phones/" + encodeURIComponent(phone.dataset.number);
  const most = Number(phone.dataset.most);
  const known = new Map(); // id: what its bubble shows
  let chosen = false; // whether somebody typed in "To"
  let late = false;

  const add = (parent, tag, kind, words) => {
    const made = parent.appendChild(document.createElement(tag));
    made.className = kind;
    made.textContent = words;
    return made;
  };

  // As the page itself shows numbers; the server knows the spacing of every country, we only know theirs.
  const spelled = new Map();
  for (const item of talk.querySelectorAll("li[data-peer]")) {
    spelled.set(item.dataset.peer, item.dataset.shown);
  }

  const clock = (time) => {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const hour = { hour: "2-digit", minute: "2-digit" };
    time.textContent = today
      ? at.toLocaleTimeString([], hour)
      : at.toLocaleString([], { day: "numeric", month: "short", ...hour });
  };

  const fill = (item, message) => {
    item.replaceChildren();
    item.className = message.direction;
    item.dataset.id = message.id;
    const peer = spelled.get(message.peer) || message.peer;
    add(item, "div", "peer", (message.direction === "in" ? "from " : "to ") + peer);
    add(item, "p", "bubble", message.text);
    if (message.flash) add(item, "div", "flash", "Flash");
    if (message.possible_duplicate) add(item, "div", "again", "Possible duplicate");
    const meta = add(item, "div", "meta", "");
    const time = add(meta, "time", "", "");
    time.dateTime = message.at;
    clock(time);
    const parts = message.segments === 1 ? "1 segment" : message.segments + " segments";
    meta.append(" · " + parts + " · " + message.encoding.toUpperCase());
  };

  // Whether the page came with this bubble: then a screen reader need not hear it again.
  const same = (item, message) =>
    item.querySelector(".bubble").textContent === message.text &&
    Boolean(item.querySelector(".again")) === message.possible_duplicate;

  const show = (messages) => {
    const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40;
    const newest = messages.slice(-most);
    const items = new Map([...talk.children].map((item) => [item.dataset.id, item]));
    let changed = false;
    for (const message of newest) {
      const looks = JSON.stringify(message);
      if (known.get(message.id) === looks) continue;
      const old = items.get(message.id);
      if (old && !known.has(message.id) && same(old, message)) {
        known.set(message.id, looks);
        continue;
      }
      fill(old || talk.appendChild(document.createElement("li")), message);
      known.set(message.id, looks);
      changed = changed || !old;
    }
    while (talk.children.length > most) talk.firstElementChild.remove();
    empty.hidden = talk.children.length > 0;
    if (changed && atEnd) talk.scrollTop = talk.scrollHeight;
    if (changed && !chosen && newest.length) to.value = newest[newest.length - 1].peer;
    judge();
  };

  // A name that is no number cannot be texted back: the network has no way to reach it.
  const judge = () => {
    const name = /[^\d\s+().-]/.test(to.value);
    send.disabled = name;
    if (name) say(to.value + " is a name, not a number: no answer can come to it.", false);
    else if (status.dataset.kind === "name") say("", false);
    status.dataset.kind = name ? "name" : "";
  };

  const say = (words, bad) => {
    if (status.textContent !== words) status.textContent = words;
    status.classList.toggle("bad", bad);
  };

  const poll = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(here, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      show((await answer.json()).messages);
      if (late) say("", false);
      late = false;
    } catch {
      late = true;
      say("The gateway does not answer; trying again.", true);
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      const answer = await fetch(here + "/messages", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ to: to.value, text: text.value }),
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.detail || "not sent");
      text.value = "";
      say("", false);
      talk.scrollTop = talk.scrollHeight;
      await poll();
    } catch (error) {
      say("Not sent: " + error.message, true);
    } finally {
      send.disabled = false;
      judge();
    }
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  to.addEventListener("input", () => {
    chosen = true;
    judge();
  });

  talk.querySelectorAll("time").forEach(clock);
  talk.scrollTop = talk.scrollHeight;
  judge();
  const again = async () => {
    await poll();
    setTimeout(again, 1000);
  };
  setTimeout(again, 1000);
})();
