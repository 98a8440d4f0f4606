"use strict";
// The lists of phones and of kept mails: asked for again every two seconds while they are looked at.
(() => {
  const list = document.querySelector("[data-poll]");
  const none = document.getElementById("none");
  let shown = "";
  const spelled = new Map(); // how the server writes what a link leads to
  const learn = () =>
    list.querySelectorAll("a").forEach((a) => spelled.set(a.getAttribute("href"), a.querySelector("strong").textContent));

  const clock = (time) => {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  };

  const card = (href, title, words, at) => {
    const item = document.createElement("li");
    const link = item.appendChild(document.createElement("a"));
    link.href = href;
    link.appendChild(document.createElement("strong")).textContent = spelled.get(href) || title;
    const small = link.appendChild(document.createElement("span"));
    small.className = "small";
    small.append(words + " · ");
    const time = small.appendChild(document.createElement("time"));
    time.dateTime = at;
    clock(time);
    return item;
  };

  const cards = {
    phones: (one) =>
      card("/phones/" + one.number, one.number, one.messages + (one.messages === 1 ? " text" : " texts"), one.at),
    mails: (one) => card("/outbox/" + one.id, one.subject || "(no subject)", "to " + one.to, one.at),
  };

  const poll = async () => {
    if (document.hidden) return;
    const answer = await fetch(list.dataset.poll, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) return;
    const body = await answer.text();
    if (body === shown) return;
    shown = body;
    const focused = document.activeElement && document.activeElement.getAttribute("href");
    list.replaceChildren(...JSON.parse(body)[list.id].map(cards[list.id]));
    none.hidden = list.children.length > 0;
    if (focused) [...list.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
  };

  learn();
  list.querySelectorAll("time").forEach(clock);
  const again = async () => {
    await poll().catch(() => {}); // the next one may find the gateway again
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
})();
