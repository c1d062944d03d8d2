// One SIP message in full.
import { exactTime, offset } from "./ladder.js";
import { link } from "./route.js";
import { parts } from "./sip.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";

// Where the page is not from a safe origin there is no clipboard but the old one.
async function copy(text) {
	if (navigator.clipboard)
		return navigator.clipboard.writeText(text);
	const area = Object.assign(document.createElement("textarea"), { value: text });
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	if (!done)
		throw new Error("refused");
	return undefined;
}

export function CopyButton({ text, label = "Copy" }) {
	const [said, say] = useState("");
	useEffect(() => {
		if (!said)
			return undefined;
		const timer = setTimeout(() => say(""), 2000);
		return () => clearTimeout(timer);
	}, [said]);
	return html`<button type="button" class="secondary small" onClick=${() => copy(text).then(() => say("Copied"), () => say("Not allowed here"))}><span role="status">${said || label}</span></button>`;
}

function Text({ message }) {
	const { start, headers, body } = parts(message);
	return html`<pre class="message" tabindex="0" aria-label="The message"><b class="start">${start}</b>${"\n"}${headers.map((one, i) => html`<span key=${i}>${one.name && html`<b>${one.name}</b>: `}${one.value}${"\n"}</span>`)}${body && html`<span class="body">${body}</span>`}</pre>`;
}

export function Message({ one, number, total, onPick, onClose, moved }) {
	const { item, facts, copyOf, answers } = one, box = useRef(null);
	useEffect(() => {	// below the ladder it may be out of sight
		if (moved)
			box.current.scrollIntoView({ block: "nearest" });
	}, [item, moved]);
	const out = item.direction === "out", took = answers && Date.parse(item.at) - Date.parse(answers.at);
	return html`<section class="detail" ref=${box} aria-labelledby="message-title"><div class="head"><h2 id="message-title">${facts.label}${facts.code > 0 && html` <small>to ${facts.method}</small>`}</h2>
			<span class="tools"><${CopyButton} text=${item.message} /><button type="button" class="plain close" aria-label="Close the message" onClick=${onClose}>×</button></span></div>
		<p class="foot">${number + 1} of ${total.toLocaleString()} · <span title=${item.at}>${exactTime(item.at)}</span> · ${item.transport.toUpperCase()} ${out ? "out" : "in"}: ${out ? item.local : item.remote} → ${out ? item.remote : item.local}
			${item.registration && html` · <a href=${link(["registrations", item.registration])}>${item.registration}</a>`}
			${item.call_id && html` · <a href=${link(["trace"], { call_id: item.call_id })}>only this Call-ID</a>`}</p>
		${copyOf && html`<p class="foot">Sent again ${offset(Date.parse(item.at) - Date.parse(copyOf.at))} s after <button type="button" class="link" onClick=${() => onPick(copyOf)}>the first</button>.</p>`}
		${answers && html`<p class="foot">Answers <button type="button" class="link" onClick=${() => onPick(answers)}>${facts.method}</button> after ${took} ms.</p>`}
		<${Text} message=${item.message} /></section>`;
}
