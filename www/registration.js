// What one registration does now, and what its last attempts were.
import { get, path } from "./api.js";
import { Checklist } from "./checklist.js";
import { State } from "./glyph.js";
import { Drain, RefreshButton } from "./registrations.js";
import { link } from "./route.js";
import { useLoad } from "./store.js";
import { ago, clockTime, ms, span, useNow } from "./time.js";
import { html } from "./vendor/preact.js";
import { registrationNext, registrationReason, registrationTitle, stateOf } from "./words.js";

const kinds = { initial: "first", refresh: "refresh", retry: "retry", manual: "by hand", unregister: "unregister" };
const accepted = attempt => attempt.code >= 200 && attempt.code < 300;

function outcome(attempt) {
	if (attempt.code === null || attempt.code === undefined)
		return attempt.phrase || "no answer";
	return `${attempt.code} ${attempt.phrase || ""}`;
}

// The last attempts along a line, each where it was in time, and as a list.
function Attempts({ items, now }) {
	if (!items.length)
		return html`<p class="faint">No attempt yet.</p>`;
	const begin = ms(items[items.length - 1].at), width = Math.max(1000, now - begin);
	return html`<div class="timeline" role="img" aria-label=${`${items.length} attempts in the last ${span(width / 1000)}`}>${items.map(one => html`<span key=${one.at} class=${`tick ${accepted(one) ? "good" : "bad"}`} style=${{ left: `${100 * (ms(one.at) - begin) / width}%` }}></span>`)}</div>
		<div class="scroll" tabindex="0" role="region" aria-label="Last attempts"><table class="attempts"><thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Answer</th><th scope="col">Took</th><th scope="col">Asked / granted</th><th scope="col">After</th><th scope="col">Target</th></tr></thead>
		<tbody>${items.map(one => html`<tr key=${one.at}><td title=${one.at}>${clockTime(one.at)}</td><td>${kinds[one.kind] || one.kind}</td>
			<td><${State} name=${accepted(one) ? "good" : "bad"} text=${outcome(one)} /></td><td>${one.rtt_ms === null ? "–" : `${one.rtt_ms} ms`}</td>
			<td>${one.requested_expiry ?? "–"} / ${one.granted_expiry ?? "–"}</td><td>${one.since_previous_s === null ? "–" : `${one.since_previous_s} s`}${one.planned_s !== null && html`<small> planned ${one.planned_s} s</small>`}</td><td>${one.target}</td></tr>`)}</tbody></table></div>`;
}

export const Fact = ({ name, children }) => children !== null && children !== undefined && children !== "" && html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

export function RegistrationNow({ row }) {
	const now = useNow(), status = row.status || {};
	const { data } = useLoad(() => get(path("registrations", row.name, "attempts")), [row.name, status.attempts, status.state, status.since]);
	const nat = status.nat?.detected ? `yes: ${status.nat.local} is seen as ${status.nat.public}` : status.nat?.public ? "no" : "";
	return html`<section class="now" aria-label="State now"><div class="lead"><${State} name=${stateOf(row)} title=${registrationTitle(status)} /><span>${registrationReason(status)}</span>
			<b>${registrationNext(status, now)}</b>${row.enabled && html`<${RefreshButton} name=${row.name} />`}<a href=${link(["trace"], { registration: row.name })}>SIP messages</a></div>
		<dl class="facts"><${Fact} name="Since">${status.since && ago(status.since, now)}</${Fact}>
			<${Fact} name="Binding">${status.binding_expires_at && html`<${Drain} status=${status} now=${now} />`}</${Fact}>
			<${Fact} name="Expiry asked / granted">${status.requested_expiry && `${status.requested_expiry} / ${status.granted_expiry ?? "–"} s${status.raised_to ? `, raised to ${status.raised_to} s` : ""}`}</${Fact}>
			<${Fact} name="Retry-After">${status.retry_after && `${status.retry_after} s, as the server asked`}</${Fact}>
			<${Fact} name="Registrar">${status.remote_address}</${Fact}><${Fact} name="From">${status.listener}</${Fact}><${Fact} name="Contact">${status.contact}</${Fact}>
			<${Fact} name="Round trip">${status.rtt_ms !== null && status.rtt_ms !== undefined && `${status.rtt_ms} ms`}</${Fact}><${Fact} name="NAT">${nat}</${Fact}>
			<${Fact} name="Attempts">${status.attempts !== null && status.attempts !== undefined && `${status.attempts}, ${status.failures} failed, the last ${status.consecutive_failures} in a row; ${status.attempts_last_hour} in the last hour`}</${Fact}></dl>
		<h2>Last attempts</h2>${data && html`<${Attempts} items=${data.items} now=${now} />`}</section>
		<${Checklist} which="outbound-registration" query=${{ registration: row.name }} />`;
}
