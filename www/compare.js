// What differs between the configurations as of two revisions.
import { get } from "./api.js";
import { Fault } from "./dialog.js";
import { LongDiff } from "./long-diff.js";
import { link, setQuery } from "./route.js";
import { schema } from "./schema.js";
import { useLoad } from "./store.js";
import { useSettled } from "./time.js";
import { html } from "./vendor/preact.js";
import { plural } from "./words.js";

const SETTLE_MS = 300;

function Which({ name, title, query }) {
	return html`<label>${title} <input type="number" min="0" step="1" value=${query[name] ?? ""} placeholder=${name === "to" ? "newest" : "the one before"} onInput=${event => setQuery({ from: query.from, to: query.to, [name]: event.target.value, compare: 1 })} /></label>`;
}

export function Compare({ query }) {
	const key = useSettled(JSON.stringify([query.from, query.to]), SETTLE_MS), [from, to] = JSON.parse(key);
	const { data, error } = useLoad(() => Promise.all([get("/diff", { from, to }), schema()]), [key]), [answer, kinds] = data || [];
	const swap = () => setQuery({ from: String(answer.to), to: String(answer.from), compare: 1 });
	return html`<nav class="crumbs" aria-label="Breadcrumb"><a href=${link(["history"])}>History</a> <span aria-hidden="true">/</span> <span aria-current="page">compare</span></nav>
		<h1>Compare two revisions</h1>
		<form class="history-filter" aria-label="Revisions to compare" onSubmit=${event => event.preventDefault()}><${Which} name="from" title="From" query=${query} /><${Which} name="to" title="To" query=${query} />
			<button type="button" class="secondary" disabled=${!answer} onClick=${swap}>Swap</button></form>
		<${Fault} error=${error} />
		${!data && !error && html`<p aria-busy="true">Being compared …</p>`}
		${answer && !error && html`<section aria-labelledby="differs-title"><h2 id="differs-title"><a href=${link(["history", String(answer.from)])}>${answer.from}</a> → <a href=${link(["history", String(answer.to)])}>${answer.to}</a> <small>${plural(answer.diff.length, "object")}</small></h2>
			<${LongDiff} diff=${answer.diff} kinds=${kinds} /></section>`}`;
}
