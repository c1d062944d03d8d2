// Calls: those there are now, and the records of those that are over.
import { LiveCalls } from "./live-calls.js";
import { need, tables } from "./live.js";
import { RecordFilters, Records } from "./records.js";
import { link, setQuery } from "./route.js";
import { useStore } from "./store.js";
import { html, useEffect } from "./vendor/preact.js";

const KINDS = ["routing-gateways", "mapping-gateways"];

export function Calls({ query }) {
	const routing = useStore(tables["routing-gateways"]), mapping = useStore(tables["mapping-gateways"]);
	useEffect(() => KINDS.forEach(need), []);
	const past = query.view === "records" || (!query.view && Boolean(query.since || query.until || query.code || query.record));
	const gateways = [...new Set([...routing.rows.keys(), ...mapping.rows.keys(), query.gateway].filter(Boolean))].sort();
	const set = more => setQuery({ ...query, ...more }), keep = { gateway: query.gateway, number: query.number };
	const tab = (on, view, word) => html`<a href=${link(["calls"], { ...keep, view })} aria-current=${on ? "page" : null}>${word}</a>`;
	return html`<div class="head"><h1>Calls</h1><nav class="tabs" aria-label="Calls">${tab(!past, "", "Now")}${tab(past, "records", "Records")}</nav></div>
		<div class="filters fields"><label>Gateway<select value=${query.gateway || ""} onChange=${event => set({ gateway: event.target.value })}><option value="">any</option>${gateways.map(name => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
			<label>Number${past ? html`<small> (whole)</small>` : ""}<input type="search" placeholder="any" autocomplete="off" value=${query.number || ""} onInput=${past ? undefined : event => set({ number: event.target.value })} onChange=${event => set({ number: event.target.value.trim() })} /></label>
			${past && html`<${RecordFilters} query=${query} set=${set} />`}</div>
		${past ? html`<${Records} query=${query} set=${set} />` : html`<${LiveCalls} query=${query} set=${set} />`}`;
}
