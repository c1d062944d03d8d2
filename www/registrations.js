// All outbound registrations, live.
import { call, may, path } from "./api.js";
import { Fault } from "./dialog.js";
import { State } from "./glyph.js";
import { need, tables } from "./live.js";
import { link, setQuery } from "./route.js";
import { useStore } from "./store.js";
import { Table, useSorted } from "./table.js";
import { ms, span, useNow } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { plural, registrationNext, registrationReason, registrationTitle, stateOf } from "./words.js";

// How much of the granted time is left: a bar that drains.
export function Drain({ status, now }) {
	if (!status?.binding_expires_at || !status.granted_expiry)
		return html`<span class="faint">–</span>`;
	const left = Math.max(0, (ms(status.binding_expires_at) - now) / 1000), share = Math.min(1, left / status.granted_expiry);
	return html`<span class="drain" title=${`${status.granted_expiry} s granted, ends ${status.binding_expires_at}`}><span class="tank" aria-hidden="true"><span class=${share < 0.2 ? "level low" : "level"} style=${{ width: `${share * 100}%` }}></span></span> ${span(left)}</span>`;
}

export function RefreshButton({ name, small }) {
	const [busy, setBusy] = useState(false), [error, setError] = useState(null);
	const refresh = async () => {
		setBusy(true);
		setError(null);
		await call("POST", path("registrations", name, "refresh"), { query: { wait: "outcome" } }).catch(setError);
		setBusy(false);
	};
	if (!may("operator"))
		return null;
	return html`<button type="button" class=${small ? "secondary small" : "secondary"} aria-busy=${busy} disabled=${busy} title=${error ? error.message : "Send a REGISTER now"} onClick=${refresh}>
		${error ? "Failed: again" : "Register now"}<span class="hidden-text"> ${name}</span></button>`;
}

function Next({ row, now }) {
	const next = registrationNext(row.status, now);
	return html`${next && html`<span class="first">${next}</span>`}${row.status?.binding_expires_at && html`<${Drain} status=${row.status} now=${now} />`}`;
}

const columns = now => [
	{ key: "state", title: "State", class: "short", value: stateOf, cell: row => html`<${State} name=${stateOf(row)} text=${row.status?.refreshing ? "refreshing" : stateOf(row)} title=${registrationTitle(row.status)} />` },
	{ key: "name", title: "Name", class: "main", value: row => row.name, cell: row => html`<a href=${link(["registrations", row.name])}>${row.name}</a><small class="note narrow-only">${registrationReason(row.status)}</small>${row.note && html`<small class="note mid-only">${row.note}</small>`}` },
	{ key: "server", title: "Server", class: "wide-only", value: row => row.server, cell: row => html`<span class="first">${row.server}${row.port ? `:${row.port}` : ""}<small> ${row.transport}</small></span><small class="note">${row.username}</small>` },
	{ key: "reason", title: "Answer", class: "mid-only", value: row => registrationReason(row.status), cell: row => registrationReason(row.status) },
	{ key: "next", title: "Next", class: "medium", value: row => ms(row.status?.next_attempt_at), cell: row => html`<${Next} row=${row} now=${now} />` },
	...(may("operator") ? [{ key: "act", title: "Register now", class: "wide-only short", cell: row => row.enabled && html`<${RefreshButton} name=${row.name} small />` }] : []),
];

function text(row) {
	return `${row.name} ${row.note} ${row.server} ${row.username} ${registrationReason(row.status)}`.toLowerCase();
}

export function Registrations({ query }) {
	const table = useStore(tables.registrations), now = useNow();
	useEffect(() => need("registrations"), []);
	const total = table.rows.size, sort = { by: query.sort || "name", down: query.down === "1" };
	const wanted = (query.q || "").toLowerCase(), state = query.state || "";
	const counts = new Map();
	for (const row of table.rows.values())
		counts.set(stateOf(row), (counts.get(stateOf(row)) || 0) + 1);
	const cols = columns(now);
	const shown = useSorted(table.rows.values(), tables.registrations.version, cols, sort, { key: `${wanted}|${state}|${total}`, test: row => (!state || stateOf(row) === state) && (!wanted || text(row).includes(wanted)) });
	const set = more => setQuery({ ...query, ...more });
	return html`<div class="head"><h1>Registrations</h1>${may("operator") && html`<a role="button" href="#/new/registrations">New registration</a>`}</div>
		<${Fault} error=${table.error} />
		<div class="filters"><input type="search" aria-label="Filter by name, note, server, user or answer" placeholder="Filter" value=${query.q || ""} onInput=${event => set({ q: event.target.value })} />
			<div class="chips" role="toolbar" aria-label="State">${[["", total], ...counts].map(([one, count]) => html`<button key=${one} type="button" class="chip" aria-pressed=${state === one} onClick=${() => set({ state: one })}>
				${one ? html`<${State} name=${one} />` : "all"} <b>${count.toLocaleString()}</b></button>`)}</div></div>
		<${Table} label="Registrations" columns=${cols} rows=${shown} current=${row => table.rows.get(row.name) || row} sort=${sort} setSort=${next => set({ sort: next.by, down: next.down ? "1" : "" })}
			empty=${table.state === "loaded" ? total ? "None is like that." : "There is no registration yet." : "Being loaded …"} />
		<p class="foot" role="status">${plural(shown.length, "registration")}${shown.length !== total ? ` of ${total.toLocaleString()}` : ""}${table.state === "loading" ? ", more are coming" : ""}</p>`;
}
