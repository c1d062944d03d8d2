// All gateways, live: where calls go to, and where they come from.
import { may } from "./api.js";
import { Fault } from "./dialog.js";
import { State } from "./glyph.js";
import { need, tables } from "./live.js";
import { Spark } from "./chart.js";
import { Meter } from "./meter.js";
import { link, setQuery } from "./route.js";
import { useStore } from "./store.js";
import { Table, useSorted } from "./table.js";
import { span, useNow } from "./time.js";
import { callsOf, MOST, useTraffic } from "./traffic.js";
import { html, useEffect } from "./vendor/preact.js";
import { gatewayState, noun, plural, written } from "./words.js";
import { gatewayReason, RegistrationOf, Why } from "./why.js";

const ROW = 52;		// px: two lines

const hour = row => row.status?.last_hour || {};
// "80 % · 2:30 min": answered of all, and how long they lasted
function Hour({ row }) {
	const { calls, asr, acd_s: acd } = hour(row);
	if (!calls)
		return html`<span class="faint">no calls</span>`;
	return html`<span title=${`${plural(calls, "call")} in the last hour: ${asr} % answered, ${acd === null ? "none has ended" : `${acd} s long on average`}`}>${Math.round(asr)} %${acd !== null && html` <span class="faint">·</span> ${span(acd)}`}<small class="note">of ${plural(calls, "call")}</small></span>`;
}

const address = row => `${row.host}${row.port ? `:${row.port}` : ""}`;
const Words = ({ list, none }) => list.length ? html`<span title=${list.join(", ")}>${list.map(one => one || "any").join(", ")}</span>` : html`<span class="faint">${none}</span>`;

const first = (kind, now) => [
	{ key: "state", title: "State", class: "gw-state", value: row => gatewayState(row).text, cell: row => html`<${State} ...${gatewayState(row)} /><${Why} kind=${kind} row=${row} now=${now} />` },
	{ key: "name", title: "Name", class: "gw-name", value: row => row.name, cell: row => html`<a href=${link([kind, row.name])}>${row.name}</a>${row.note && html`<small class="note" title=${row.note}>${row.note}</small>`}` },
];
const last = kind => [
	{ key: "calls", title: "Calls", class: "gw-calls", value: row => row.status?.calls, cell: row => html`<${Meter} value=${row.status?.calls} most=${row.status?.capacity} label="Calls now" />` },
	{ key: "load", title: "Load", class: "mid-only gw-load", value: row => row.status?.cps, cell: row => html`<${Meter} value=${row.status?.cps} most=${row.status?.max_cps} unit="per s" label="New calls in the last second" /><${Spark} values=${callsOf(kind, row.name)} label=${`Calls through ${row.name}, the last two minutes`} />` },
	{ key: "hour", title: "Last hour", class: "mid-only gw-hour", value: row => hour(row).asr, cell: row => html`<${Hour} row=${row} />` },
];

const columnsOf = {
	"routing-gateways": now => [...first("routing-gateways", now),
		{ key: "address", title: "Address", class: "wide-only", value: address, cell: row => html`<span title=${address(row)}>${address(row)}</span><small class="note">${row.transport}</small>` },
		{ key: "prefixes", title: "Prefixes", class: "mid-only gw-short", value: row => row.prefixes.join(","), cell: row => html`<${Words} list=${row.prefixes} none="none" />` },
		{ key: "registration", title: "Registration", class: "wide-only", value: row => row.registration || "", cell: row => html`<${RegistrationOf} row=${row} />` },
		{ key: "priority", title: "Priority", class: "wide-only gw-short", value: row => row.priority, cell: row => row.priority },
		...last("routing-gateways")],
	"mapping-gateways": now => [...first("mapping-gateways", now),
		{ key: "sources", title: "Sources", class: "wide-only", value: row => row.sources.join(","), cell: row => html`<${Words} list=${row.sources} none=${row.authentication === "digest" ? "any address" : "none"} /><small class="note">${row.authentication === "digest" ? "by password" : "by address"}</small>` },
		{ key: "reads", title: "Callee read from", class: "wide-only", value: row => row.sip.callee, cell: row => written[row.sip.callee] },
		{ key: "prefixes", title: "Allowed prefixes", class: "mid-only", value: row => row.allowed_prefixes.join(","), cell: row => html`<${Words} list=${row.allowed_prefixes} none="all" />` },
		...last("mapping-gateways")],
};

const titles = { "routing-gateways": ["Routing gateways", "where calls go to"], "mapping-gateways": ["Mapping gateways", "where calls come from"] };

function text(kind, row, now) {
	return [row.name, row.note, row.host, row.sources, row.prefixes, row.allowed_prefixes, row.registration, gatewayState(row).text, gatewayReason(kind, row, now)?.text].flat().join(" ").toLowerCase();
}

function Kind({ kind, query, now, wanted }) {
	const table = useStore(tables[kind]), rows = [...table.rows.values()], cols = columnsOf[kind](now);
	useTraffic(kind);
	const mine = kind === "routing-gateways" ? "r" : "m", sort = { by: query[`${mine}sort`] || "name", down: query[`${mine}down`] === "1" };
	const shown = useSorted(rows, tables[kind].version, cols, sort, { key: `${wanted}|${rows.length}`, test: row => !wanted || text(kind, row, now).includes(wanted) });
	const [title, what] = titles[kind], id = `${kind}-title`;
	return html`<section class="gateways" aria-labelledby=${id} style=${{ "--rows": `${Math.max(1, shown.length) * ROW + 34}px` }}>
		<div class="head"><h2 id=${id}>${title}<small>: ${what}</small></h2>${may("operator") && html`<a role="button" class="small" href=${link(["new", kind])}>New ${noun(kind)}</a>`}</div>
		<${Fault} error=${table.error} />
		<${Table} label=${title} columns=${cols} rows=${shown} rowHeight=${ROW} sort=${sort} setSort=${next => setQuery({ ...query, [`${mine}sort`]: next.by, [`${mine}down`]: next.down ? "1" : "" })}
			empty=${table.state === "loaded" ? rows.length ? "None is like that." : `There is no ${noun(kind)} yet.` : "Being loaded …"} />
		${(shown.length !== rows.length || rows.length > 20) && html`<p class="foot" role="status">${plural(shown.length, noun(kind))}${shown.length !== rows.length ? ` of ${rows.length.toLocaleString()}` : ""}${rows.length > MOST ? `; of more than ${MOST.toLocaleString()} the load is as it was when the list came, and live on each one's page` : ""}</p>`}</section>`;
}

export function Gateways({ query }) {
	const now = useNow(), wanted = (query.q || "").toLowerCase();
	useEffect(() => Object.keys(tables).forEach(need), []);
	useStore(tables.registrations);		// their states stand beside the gateways that use them
	return html`<div class="head"><h1>Gateways</h1><input type="search" aria-label="Filter by name, note, address, prefix, registration or state" placeholder="Filter" value=${query.q || ""} onInput=${event => setQuery({ ...query, q: event.target.value })} /></div>
		<${Kind} kind="routing-gateways" query=${query} now=${now} wanted=${wanted} /><${Kind} kind="mapping-gateways" query=${query} now=${now} wanted=${wanted} />`;
}
