// Is the history what was written?  Each revision's hash covers all before it; the newest one, kept elsewhere, vouches for all.
import { get } from "./api.js";
import { serverNow } from "./clock.js";
import { Copy } from "./copy.js";
import { Fault } from "./dialog.js";
import { Glyph } from "./glyph.js";
import { link } from "./route.js";
import { clockTime } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const headText = head => `${head.revision}:${head.hash}`;

function Head({ head }) {
	return html`<span class="chain-head">head <code title=${headText(head)}>r${head.revision} ${head.hash.slice(0, 8)}…</code> <${Copy} text=${headText(head)} what="the head, to keep it elsewhere" /></span>`;
}

function Result({ result, at, kept }) {
	if (!result.valid)
		return html`<p class="chain bad" role="alert"><${Glyph} name="bad" /> <span><strong>The history is not what was written: broken at <a href=${link(["history", String(result.first_bad)])}>revision ${result.first_bad}</a>.</strong> ${result.why}.
			${" "}Good up to there: ${plural(result.revisions, "revision")}, <${Head} head=${result.head} /></span></p>`;
	return html`<p class="chain" role="status"><${Glyph} name="good" /> <span>${plural(result.revisions, "revision")}, verified <span class="faint" title=${at}>${clockTime(at)}</span>${kept && html`; <strong>it holds the head you gave</strong>`}</span> <${Head} head=${result.head} /></p>`;
}

export function Audit() {
	const [state, set] = useState({ busy: true }), [kept, setKept] = useState("");
	const verify = async head => {
		set(old => ({ ...old, busy: true, error: null }));
		await get("/audit/verify", { head }).then(result => set({ result, at: new Date(serverNow()).toISOString(), kept: head }), error => set({ error }));
	};
	const check = event => { event.preventDefault(); verify(kept.trim()); };
	useEffect(() => { verify(); }, []);
	return html`<section class="audit" aria-labelledby="audit-title"><h2 id="audit-title" class="hidden-text">Audit chain</h2>
		<div class="verdict">${state.result ? html`<${Result} ...${state} />` : state.busy && html`<p class="chain" aria-busy="true">The audit chain is being verified …</p>`}
			<button type="button" class="secondary small" disabled=${state.busy} aria-busy=${!!state.busy && !!state.result} onClick=${() => verify()}>Verify again</button></div>
		<${Fault} error=${state.error} />
		<details><summary>Check against a head kept elsewhere</summary><p class="faint">A history that was cut short, or written anew as a whole, is whole in itself: only a head that was kept elsewhere shows it.</p>
			<form class="kept" onSubmit=${check}><input aria-label="Head kept elsewhere, as REVISION:HASH" placeholder="REVISION:HASH" required autocomplete="off" spellcheck=${false} value=${kept} onInput=${event => setKept(event.target.value)} />
				<button type="submit" disabled=${state.busy}>Check</button></form></details></section>`;
}
