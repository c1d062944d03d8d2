// One SIP message in full.
import { Copy } from "./copy.js";
import { exactTime, offset } from "./ladder.js";
import { link } from "./route.js";
import { parts } from "./sip.js";
import { html, useEffect, useRef } from "./vendor/preact.js";

function Text({ message }) {
	const { start, headers, body } = parts(message);
	return html`<pre class="message" tabindex="0" aria-label="The message"><b class="start">${start}</b>${"\n"}${headers.map((one, i) => html`<span key=${i}>${one.name && html`<b>${one.name}</b>: `}${one.value}${"\n"}</span>`)}${body && html`${"\n"}<span class="body">${body}</span>`}</pre>`;
}

export function Message({ one, number, total, onPick, onClose, moved }) {
	const { item, facts, copyOf, answers } = one, box = useRef(null);
	useEffect(() => {	// below the ladder it may be out of sight
		if (moved)
			box.current.scrollIntoView({ block: "nearest" });
	}, [item, moved]);
	const out = item.direction === "out", took = answers && Date.parse(item.at) - Date.parse(answers.at);
	return html`<section class="detail" ref=${box} aria-labelledby="message-title"><div class="head"><h2 id="message-title">${facts.label}${facts.code > 0 && html` <small>to ${facts.method}</small>`}</h2>
			<span class="tools"><${Copy} text=${item.message} what="the message" /><button type="button" class="plain close" aria-label="Close the message" onClick=${onClose}>×</button></span></div>
		<p class="foot">${number + 1} of ${total.toLocaleString()} · <span title=${item.at}>${exactTime(item.at)}</span> · ${item.transport.toUpperCase()} ${out ? "out" : "in"}: ${out ? item.local : item.remote} → ${out ? item.remote : item.local}
			${item.registration && html` · <a href=${link(["registrations", item.registration])}>${item.registration}</a>`}
			${item.call_id && html` · <a href=${link(["trace"], { call_id: item.call_id })}>only this Call-ID</a>`}</p>
		${copyOf && html`<p class="foot">Sent again ${offset(Date.parse(item.at) - Date.parse(copyOf.at))} s after <button type="button" class="link" onClick=${() => onPick(copyOf)}>the first</button>.</p>`}
		${answers && html`<p class="foot">Answers <button type="button" class="link" onClick=${() => onPick(answers)}>${facts.method}</button> after ${took} ms.</p>`}
		<${Text} message=${item.message} /></section>`;
}
