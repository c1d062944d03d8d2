// What states and reasons mean, in plain words.
import { clockTime, ms, span } from "./time.js";

const reasons = {
	credentials: "wrong credentials", rejected: "refused", server_error: "server error", timeout: "no answer", transport: "no connection",
	dns: "name not found",
};

const answer = status => status.last_code ? `${status.last_code} ${status.last_phrase || ""}`.trim() : "";

// One line: why a registration is as it is.
export function registrationReason(status) {
	if (!status || !status.state)
		return "not told yet";
	if (status.reason) {
		const said = answer(status);
		const detail = status.detail && status.detail !== said ? status.detail : "";
		return [reasons[status.reason] || status.reason, said || detail].filter(Boolean).join(": ");
	}
	if (status.state === "registered")
		return status.raised_to ? `${answer(status)}, raised to ${status.raised_to} s` : answer(status);
	return status.detail || "";
}

// What happens next, and when.
export function registrationNext(status, now) {
	if (!status?.next_attempt_at)
		return status?.state === "registering" ? "waiting for an answer" : "";
	const left = (ms(status.next_attempt_at) - now) / 1000, what = status.state === "registered" ? "refresh" : "retry";
	return left > 0 ? `${what} in ${span(left)}` : `${what} now`;
}

export function registrationTitle(status) {
	return status?.since ? `${status.state} since ${clockTime(status.since)}` : "";
}

export const stateOf = row => row.status?.stale ? "stale" : row.status?.state || "unknown";

export function gatewayState(row) {
	const status = row.status;
	if (!row.enabled)
		return { name: "off", text: "disabled" };
	if (!status || status.routable === null)
		return { name: "unknown", text: "unknown" };
	if (status.stale)
		return { name: "stale", text: "stale" };
	if (row.locked)
		return { name: "lock", text: "locked" };
	return status.routable ? { name: "good", text: "takes calls" } : { name: "wait", text: "no calls" };
}

export const plural = (n, one, many) => `${n.toLocaleString()} ${n === 1 ? one : many || `${one}s`}`;

const nouns = { "registrations": "registration", "routing-gateways": "routing gateway", "mapping-gateways": "mapping gateway", "sip-parameters": "parameter" };
export const noun = kind => nouns[kind] || kind.replaceAll("-", " ").replace(/s$/, "");

// Where a number stands in a message, by the words of the settings.
export const written = {
	to: "To", request_line: "request line", diversion: "Diversion", from: "From", remote_party_id: "Remote-Party-ID", display: "display name",
	p_asserted_identity: "P-Asserted-Identity", p_preferred_identity: "P-Preferred-Identity",
};

// What a change does to the running switch, from the effects of a rehearsal.
export function effectsText(effects) {
	const count = effects?.reregister?.count || 0;
	return count ? `${plural(count, "registration")} will re-register` : "No registration is touched";
}
