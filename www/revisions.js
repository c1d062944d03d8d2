// The list of revisions: filtered, unfolded to what each changed, two of them chosen to be compared.
import { Fault } from "./dialog.js";
import { usePast } from "./past.js";
import { RevisionDetail } from "./revision.js";
import { filterOf, RevisionFilter } from "./revision-filter.js";
import { Waiting } from "./confirmation.js";
import { link } from "./route.js";
import { schema } from "./schema.js";
import { useLoad } from "./store.js";
import { changeText } from "./revision-text.js";
import { Ago, useSettled } from "./time.js";
import { html, useMemo, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const SETTLE_MS = 250;

function Row({ item, kinds, wanted, chosen, choose, unfolded, unfold }) {
	const what = useMemo(() => changeText(item.changes, kinds, wanted), [item, kinds, wanted]);
	return html`<li class=${`revision${chosen ? " chosen" : ""}`}>
		<input type="checkbox" checked=${chosen} aria-label=${`Compare revision ${item.revision}`} onChange=${choose} />
		<a class="number" href=${link(["history", String(item.revision)])} aria-label=${`Revision ${item.revision}`}>${item.revision}</a>
		<details open=${unfolded} onToggle=${event => unfold(event.target.open)}><summary>
			<span class="when"><${Ago} at=${item.at} /></span><span class="actor">${item.actor}</span>
			<span class="what">${what}</span>${item.comment && html`<span class="comment">${item.comment}</span>`}</summary>
			${unfolded && html`<${RevisionDetail} number=${item.revision} kinds=${kinds} find=${wanted} />`}</details></li>`;
}

// Two at most; a third takes the place of the one chosen first.
function Chosen({ chosen, clear }) {
	const [from, to] = [...chosen].sort((a, b) => a - b);
	return html`<div class="comparebar" role="region" aria-label="Compare">
		${chosen.length === 2 ? html`<p>Revisions <b>${from}</b> and <b>${to}</b></p><a role="button" href=${link(["history"], { from, to })}>Compare</a>`
			: html`<p>Revision <b>${from}</b>: choose another one to compare it with.</p>`}
		<button type="button" class="secondary" onClick=${clear}>Clear</button></div>`;
}

export function Revisions({ query }) {
	const filter = filterOf(query), key = useSettled(JSON.stringify(filter), SETTLE_MS), past = usePast(JSON.parse(key), key);
	const { data: kinds } = useLoad(schema, []), [chosen, setChosen] = useState([]), [unfolded, setUnfolded] = useState(new Set());
	const choose = number => setChosen(old => old.includes(number) ? old.filter(one => one !== number) : [...old, number].slice(-2));
	const unfold = number => open => setUnfolded(old => {
		if (old.has(number) === open)
			return old;
		const next = new Set(old);
		next[open ? "add" : "delete"](number);
		return next;
	});
	const filtered = Object.keys(filter).length > 0, { items } = past;
	const actors = useMemo(() => [...new Set(items.map(item => item.actor))].sort(), [items]);
	return html`<section aria-labelledby="revisions-title"><div class="head"><h2 id="revisions-title">Revisions ${past.newest > 0 && html`<small>newest ${past.newest}</small>`}</h2><a href=${link(["history"], { compare: 1 })}>Compare by number</a></div>
		<${RevisionFilter} query=${query} kinds=${kinds} actors=${actors} />
		<${Waiting} />
		<${Fault} error=${past.error} />
		<ol class="revisions" aria-label="Revisions, newest first">${items.map(item => html`<${Row} key=${item.revision} item=${item} kinds=${kinds} wanted=${filter.name} chosen=${chosen.includes(item.revision)} choose=${() => choose(item.revision)}
			unfolded=${unfolded.has(item.revision)} unfold=${unfold(item.revision)} />`)}</ol>
		${items.length === 0 && !past.busy && !past.error && html`<p class="empty">${filtered ? "No revision is like that." : "Nothing was changed yet."}</p>`}
		<div class="more"><p class="foot" role="status">${plural(items.length, "revision")}${past.busy ? past.next ? `, looking below ${past.next.slice(1)} …` : ", being loaded …" : past.next ? "" : filtered ? ": all there are like that" : ": all there are"}</p>
			${past.next && html`<button type="button" class="secondary" disabled=${past.busy} aria-busy=${past.busy} onClick=${past.older}>Older</button>`}</div>
		${chosen.length > 0 && html`<${Chosen} chosen=${chosen} clear=${() => setChosen([])} />`}</section>`;
}
