// The troubles that the switch recognises by itself: symptom, cause, what to do, and where one change mends it, that change.
import { get, may } from "./api.js";
import { ChangeDialog, setSender } from "./change.js";
import { objectLink } from "./diff.js";
import { Fault } from "./dialog.js";
import { Glyph, State } from "./glyph.js";
import { newestRevision, switchcore } from "./live.js";
import { panelLink } from "./route.js";
import { useLoad, useStore } from "./store.js";
import { ago, useNow } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { noun } from "./words.js";

const EVERY_MS = 5000;
const FEW = 100, MOST = 1000;	// the worst come first

const evidenceWords = { status: "status", attempts: "attempts", trace: "SIP messages", cdrs: "call records", "sip-parameters": "parameter", revisions: "history" };

function evidenceText(evidence) {
	const parts = evidence.replace(/^\/api\/v1\//, "").split("?")[0].split("/");
	return evidenceWords[parts[2] || parts[0]] || (parts[1] ? "settings" : noun(parts[0]));
}

export function Evidence({ evidence }) {
	const links = evidence.map(one => [one, panelLink(one)]).filter(([, href]) => href);
	return links.length > 0 && html`<ul class="evidence" aria-label="Evidence">${links.map(([one, href]) => html`<li key=${one}><a href=${href}>${evidenceText(one)}</a></li>`)}</ul>`;
}

function Advice({ item, now, onFix }) {
	return html`<details class=${`advice ${item.severity}`}><summary><${State} name=${item.severity} text=${item.symptom} title=${item.severity} /><span class="hidden-text">${item.severity}</span></summary>
		<p>${item.cause}</p><ul>${item.steps.map(step => html`<li key=${step}>${step}</li>`)}</ul>
		<p class="foot"><a href=${objectLink(item.subject.kind, item.subject.name)}>${noun(item.subject.kind)} ${item.subject.name}</a> <small>since ${ago(item.since, now)}</small></p>
		<${Evidence} evidence=${item.evidence} />
		${item.fix && may("operator") && html`<button type="button" onClick=${() => onFix(item)}>Look at the fix …</button>`}</details>`;
}

// Of everything, or of one object.  Troubles come and go with the switch's state, so they are asked for again.
export function AdviceList({ kind, name, quiet }) {
	const now = useNow(), revision = useStore(newestRevision), core = useStore(switchcore), [fixing, fix] = useState(null), [tick, again] = useState(0), [most, setMost] = useState(FEW);
	const { data, error, reload } = useLoad(() => get("/advice", { kind, name, limit: most }), [kind, name, revision?.revision, tick, most]);
	useEffect(() => {
		const timer = setInterval(() => again(n => n + 1), EVERY_MS);
		return () => clearInterval(timer);
	}, []);
	const items = data?.items || [];
	if (quiet && items.length === 0)
		return null;
	return html`<section class="advices" aria-labelledby="advice-title"><h2 id="advice-title">${kind ? "Advice" : "What needs attention"}${items.length > 0 && html` <small>${items.length}${data.next ? "+" : ""}</small>`}</h2>
		<${Fault} error=${error} />
		${data && items.length === 0 && (core && core.state !== "up" ? html`<p><${Glyph} name="unknown" /> The switch is not up: its troubles are not known.</p>` : html`<p><${Glyph} name="good" /> Nothing: no trouble is known.</p>`)}
		${items.map(item => html`<${Advice} key=${item.id} item=${item} now=${now} onFix=${fix} />`)}
		${data?.next && (most < MOST ? html`<button type="button" class="secondary" onClick=${() => setMost(MOST)}>Show more</button>` : html`<p class="foot">The worst ${MOST.toLocaleString()}; there are more.</p>`)}
		${fixing && html`<${ChangeDialog} title=${fixing.symptom} send=${setSender(fixing.fix)} act="Apply the fix" onClose=${() => fix(null)} onDone=${() => { fix(null); reload(); }} />`}</section>`;
}
