// What a value means, beside the field it is typed into.  Words and limits of the delays come from GET /presets.
import { get } from "./api.js";
import { Store } from "./store.js";
import { duration } from "./time.js";

export const presets = new Store(null);

export async function loadPresets() {
	if (!presets.value)
		presets.set(await get("/presets"));
}

function retryHint(delay) {
	const rows = presets.value?.retry_delays || [], row = rows.filter(one => one.retry_delay <= delay).pop() || rows[0];
	const best = row && rows.some(one => one.retry_delay === delay) ? `; best for ${row.best_for}` : "";
	return `First retry after ${duration(delay)}; 5 tries take ${duration(5 * delay)}${row ? `; load ${row.load}${best}` : ""}.`;
}

const expiryHint = expiry => expiry === "auto" ? "Asks for an hour, adopts what the registrar grants, refreshes at half of it."
	: `Refresh at ${expiry / 2} s, sooner if the registrar grants less.`;

// Fields by what they are called or by the parameter they inherit from.
const meanings = { retry_delay: retryHint, SS_SIP_USER_AGENT_RETRY_DELAY: retryHint, register_period: expiryHint, SS_SIP_USER_AGENT_EXPIRE: expiryHint,
                   keep_alive: every => every ? `A keep-alive every ${duration(every)} while registered.` : null };

export function hints(field, value, effective) {
	const mean = meanings[field.name], taken = value === "inherit" ? effective?.value : value;
	const fits = taken === "auto" || taken === 0 || (typeof taken === "number" && taken >= field.min && taken <= field.max);
	return mean && fits ? mean(taken) : null;
}
