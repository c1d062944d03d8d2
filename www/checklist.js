// A checklist of the server: what is in order, what is to be done, and what only a person can tell.
import { get, may } from "./api.js";
import { Evidence } from "./advice.js";
import { ChangeDialog, setSender } from "./change.js";
import { Fault } from "./dialog.js";
import { State } from "./glyph.js";
import { newestRevision } from "./live.js";
import { useLoad, useStore } from "./store.js";
import { html, useState } from "./vendor/preact.js";

const words = { done: "done", todo: "to do", warning: "look", manual: "by hand" };

function Item({ item, onFix }) {
	return html`<li class=${`check ${item.state}`}><${State} name=${item.state} text=${words[item.state]} /><div><p><b>${item.text}</b></p><p>${item.detail}</p>
		<div class="after"><${Evidence} evidence=${item.evidence} />${item.fix && may("operator") && html`<button type="button" class="small" onClick=${() => onFix(item)}>Look at the fix …</button>`}</div></div></li>`;
}

// which: of GET /checklists; query: what it is about
export function Checklist({ which, query, title = "Checklist" }) {
	const revision = useStore(newestRevision), [fixing, fix] = useState(null);
	const { data, error, reload } = useLoad(() => get(`/checklists/${which}`, query), [which, JSON.stringify(query), revision?.revision]);
	const items = data?.items || [], id = `checklist-${which}`;
	return html`<section class="checklist" aria-labelledby=${id}><div class="head"><h2 id=${id}>${title}${data && html` <small>${items.filter(item => item.state === "done").length} of ${items.length} done</small>`}</h2>
			<button type="button" class="secondary small" onClick=${reload}>Check again</button></div>
		<${Fault} error=${error} />
		<ul>${items.map(item => html`<${Item} key=${item.n} item=${item} onFix=${fix} />`)}</ul>
		${fixing && html`<${ChangeDialog} title=${fixing.text} send=${setSender(fixing.fix)} act="Apply the fix" onClose=${() => fix(null)} onDone=${() => { fix(null); reload(); }} />`}</section>`;
}
