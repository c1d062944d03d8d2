// What one gateway does now, and the tools that show what it would do with a call.
import { Chart, useSamples } from "./chart.js";
import { Checklist } from "./checklist.js";
import { Codes } from "./codes.js";
import { Glyph, State } from "./glyph.js";
import { tables } from "./live.js";
import { Meter } from "./meter.js";
import { CallForm, Preview, usePreview } from "./preview.js";
import { Fact } from "./registration.js";
import { link } from "./route.js";
import { useStore } from "./store.js";
import { clockTime, ms, span, useNow } from "./time.js";
import { useTrafficOf } from "./traffic.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { Verify } from "./verify.js";
import { gatewayState, plural } from "./words.js";
import { gatewayReason, heldText, RegistrationOf } from "./why.js";

const probeWords = { up: "answers OPTIONS", down: "does not answer OPTIONS", unknown: "not known yet" };
const probeGlyphs = { up: "good", down: "bad", unknown: "unknown" };

function Probe({ probe, now }) {
	if (!probe || probe.state === "off" || !probe.state)
		return html`<span class="faint">off</span>`;
	return html`<${State} name=${probeGlyphs[probe.state]} text=${probeWords[probe.state]} /><small> ${[probe.code, probe.rtt_ms !== null && `${probe.rtt_ms} ms`, probe.at && `${span((now - ms(probe.at)) / 1000)} ago`].filter(Boolean).join(", ")}</small>`;
}

function Hour({ hour }) {
	if (!hour?.calls)
		return html`<span class="faint">no calls</span>`;
	return html`<b>${hour.asr} %</b> answered, ${hour.answered} of ${plural(hour.calls, "call")}`;
}

export function GatewayNow({ kind, row }) {
	const now = useNow(), status = row.status || {}, reason = gatewayReason(kind, row, now), held = status.held_until && ms(status.held_until) > now;
	useTrafficOf(kind, row.name);
	useStore(tables.registrations);
	const samples = useSamples(row.status, [status.calls, status.cps]);
	return html`<section class="now" aria-label="State now"><div class="lead"><${State} ...${gatewayState(row)} />${reason && html`<span>${reason.text}</span>${reason.to && html`<a href=${reason.href}>${reason.to}</a>`}`}
			<span class="links"><a href=${link(["calls"], { gateway: row.name })}>Calls now</a><a href=${link(["calls"], { gateway: row.name, view: "records" })}>Records</a><a href=${link(["trace"], { gateway: row.name })}>SIP messages</a><${Jump} kind=${kind} name=${row.name} to="checklist">Checklist</${Jump}><${Jump} kind=${kind} name=${row.name} to="settings">Settings</${Jump}></span></div>
		<div class="live"><dl class="facts"><${Fact} name="Calls now"><${Meter} value=${status.calls} most=${status.capacity} label="Calls now" /></${Fact}>
			<${Fact} name="New calls"><${Meter} value=${status.cps} most=${status.max_cps} unit="per second" label="New calls in the last second" /></${Fact}>
			<${Fact} name="Since the switch began">${typeof status.calls_total === "number" ? `${plural(status.calls_total, "call")}, ${status.answered_total.toLocaleString()} answered` : null}</${Fact}>
			<${Fact} name="Last hour (ASR)"><${Hour} hour=${status.last_hour} /></${Fact}>
			<${Fact} name="Average length (ACD)">${typeof status.last_hour?.acd_s === "number" ? `${span(status.last_hour.acd_s)}, in the last hour` : null}</${Fact}>
			${kind === "routing-gateways" && html`<${Fact} name="Registration"><${RegistrationOf} row=${row} /></${Fact}><${Fact} name="Probe"><${Probe} probe=${status.probe} now=${now} /></${Fact}>`}
			<${Fact} name="Held">${held ? html`<${Glyph} name="wait" /> until ${clockTime(status.held_until)}, ${heldText(status, now)}` : null}</${Fact}></dl>
		<${Chart} label="Calls now and new calls per second" samples=${samples} series=${[{ label: "calls now", tone: "good" }, { label: "new per second", tone: "busy", dash: [6, 4] }]} /></div>
		<h2>Last answers</h2><${Codes} codes=${status.last_codes} stops=${row.stop_codes} /></section>`;
}

// A number that this gateway would get.
const exampleOf = prefixes => `${(prefixes || []).find(prefix => prefix) || "880"}1234567`;

let last = null;	// what was tried before, on any page

function firstCall(kind, row) {
	const mappings = [...tables["mapping-gateways"].value.rows.keys()].sort(), routed = [...tables["routing-gateways"].value.rows.values()];
	const mapping = kind === "mapping-gateways" ? row.name : mappings.includes(last?.mapping_gateway) ? last.mapping_gateway : mappings[0] || "";
	const prefixes = kind === "routing-gateways" ? row.prefixes : row.allowed_prefixes.length ? row.allowed_prefixes : routed[0]?.prefixes;
	const fits = last && (kind === "mapping-gateways" || row.prefixes.some(prefix => last.callee.startsWith(prefix)));
	return { mapping_gateway: mapping, callee: fits ? last.callee : exampleOf(prefixes), caller: last ? last.caller : "4930111" };
}

const sight = show => document.getElementById(`show-${show}`)?.scrollIntoView();

// A link to a section of this page, which works also when the address names it already.
const Jump = ({ kind, name, to, children }) => html`<a href=${link([kind, name], { show: to })} onClick=${() => sight(to)}>${children}</a>`;

// The section that the address asks for comes into sight.
function useShow(show) {
	useEffect(() => {
		const timer = setTimeout(() => sight(show), 500);	// what is above it has come by then
		return () => clearTimeout(timer);
	}, [show]);
}

function Tools({ kind, row, show }) {
	const [wanted, want] = useState(() => firstCall(kind, row)), here = kind === "routing-gateways" ? row.name : null;
	const said = usePreview(wanted, row.status?.routable);
	useShow(show);
	const take = next => { last = next; want(next); };
	const routing = here || said.plain?.routing_gateway;
	return html`<section class="preview" id="show-preview" aria-labelledby="preview-title"><h2 id="preview-title">A call, before it is made</h2>
			<${CallForm} wanted=${wanted} set=${take} fixed=${here ? null : row.name} /><${Preview} said=${said} here=${here} /></section>
		<section id="show-verify" aria-labelledby="verify-title"><h2 id="verify-title">The next real call</h2>
			<p>Waits for the call above to be really made, and compares what was sent with what is meant to be sent.</p><${Verify} wanted=${wanted} /></section>
		<div id="show-checklist"><${Checklist} which="gateway-headers" query=${{ gateway: routing, mapping_gateway: wanted.mapping_gateway }} title="Checklist of the headers" /></div>`;
}

export function GatewayTools({ kind, row, show }) {
	const mappings = useStore(tables["mapping-gateways"]), routings = useStore(tables["routing-gateways"]);
	const loaded = useRef(false);
	loaded.current ||= mappings.state === "loaded" && routings.state === "loaded";	// what is typed outlives a list that is asked for again
	if (!loaded.current)
		return html`<p aria-busy="true">Being loaded …</p>`;
	if (!mappings.rows.size)
		return html`<section><h2>A call, before it is made</h2><p>There is no mapping gateway yet, so no call can come in. <a href=${link(["new", "mapping-gateways"])}>New mapping gateway</a></p></section>`;
	return html`<${Tools} key=${`${kind}/${row.name}`} kind=${kind} row=${row} show=${show} />`;
}
