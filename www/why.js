// Why a gateway takes no calls, in plain words, and where the cause of it is.
import { tables } from "./live.js";
import { link } from "./route.js";
import { clockTime, ms, span } from "./time.js";
import { html } from "./vendor/preact.js";
import { Glyph } from "./glyph.js";

// What the switch says begins with: → {text, href, to} of it
const causes = [
	{ begins: "disabled", tell: () => ({ text: "Switched off in its settings.", short: "in its settings", show: "settings", to: "settings" }) },
	{ begins: "locked", tell: () => ({ text: "No new calls until it is unlocked.", short: "until it is unlocked", show: "settings", to: "settings" }) },
	{ begins: "probe failed", tell: (kind, row) => ({ text: probeText(row.status.probe), short: "no good answer to OPTIONS", href: link(["trace"], { gateway: row.name }), to: "its messages" }) },
	{ begins: "no capacity", tell: (kind, row) => ({ text: `All of its ${row.status.capacity} calls are in use.`, short: "all its calls are in use", href: link(["calls"], { gateway: row.name }), to: "its calls" }) },
	{ begins: "held until", tell: (kind, row, now) => ({ text: `It asked for no calls (Retry-After): ${heldText(row.status, now)}.`, short: `asked to wait: ${heldText(row.status, now)}`, href: link(["trace"], { gateway: row.name }), to: "its messages" }) },
	{ begins: "no ", tell: (kind, row) => ({ text: `The switch has ${row.status.why} to send from.`, show: "settings", to: "settings" }) },
];

function probeText(probe) {
	return `No good answer to OPTIONS${probe?.code ? `, last ${probe.code}` : ""}${probe?.since ? ` since ${clockTime(probe.since)}` : ""}.`;
}

export function heldText(status, now) {
	const left = status.held_until ? (ms(status.held_until) - now) / 1000 : 0;
	return left > 0 ? `${span(left)} left` : "over now";
}

// {text, short, href, to}; null: it takes calls, or nobody knows.
export function gatewayReason(kind, row, now) {
	const why = row.status?.why;
	if (!row.enabled)
		return { ...causes[0].tell(kind, row, now), href: link([kind, row.name], { show: "settings" }) };
	if (!why || row.status.routable)
		return null;
	if (row.registration && why.startsWith("registration "))
		return { short: why.replace(` ${row.registration}`, ""), text: `Its ${why.replace(/ (waiting|queued|disabled|registering|unregistered|unregistering)/, " is $1")}.`, href: link(["registrations", row.registration]), to: "registration" };
	const cause = causes.find(one => why.startsWith(one.begins)), told = cause?.tell(kind, row, now);
	return told ? { href: link([kind, row.name], { show: told.show }), ...told } : { text: why };
}

export function Why({ kind, row, now }) {
	const reason = gatewayReason(kind, row, now);
	return reason && html`<span class="why-not" title=${reason.text}>${reason.href ? html`<a href=${reason.href}>${reason.short || reason.text}</a>` : reason.text}</span>`;
}

// The registration that a gateway's calls need, with its own state.
export function RegistrationOf({ row }) {
	const other = row.registration && tables.registrations.value.rows.get(row.registration);
	if (!row.registration)
		return html`<span class="faint">none</span>`;
	const state = other?.status?.stale ? "stale" : other?.status?.state || "unknown";
	return html`<a class="state" href=${link(["registrations", row.registration])} title=${`registration ${row.registration}: ${state}`}><${Glyph} name=${state} label=${state} /> <span>${row.registration}</span></a>`;
}
