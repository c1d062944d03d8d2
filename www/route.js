// Where in the panel one is: #/registrations/carrier-a?view=trace
import { Store, useStore } from "./store.js";

function read() {
	const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
	return { parts: path.split("/").filter(Boolean).map(part => { try { return decodeURIComponent(part); } catch { return part; } }),
	         query: Object.fromEntries(new URLSearchParams(query)) };
}

const here = new Store(read());
addEventListener("hashchange", () => here.set(read()));

export const useRoute = () => useStore(here);

export function link(parts, query) {
	const given = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
	return `#/${parts.map(encodeURIComponent).join("/")}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

export function go(parts, query) {
	location.hash = link(parts, query);
}

// Without a step in the browser's history: of filters.
export function setQuery(query) {
	history.replaceState(null, "", link(here.value.parts, query));
	here.set(read());
}

// A path of the API, as advice and checklists name it, as a place in the panel; null = there is none.
export function panelLink(evidence) {
	const [path, search] = evidence.replace(/^\/api\/v1\//, "").split("?");
	const [kind, name, what] = path.split("/").map(decodeURIComponent), query = Object.fromEntries(new URLSearchParams(search));
	if (kind === "sip-parameters")
		return link(["parameters"], { q: name });
	if (kind === "registrations" || kind === "routing-gateways" || kind === "mapping-gateways")
		return name ? link([kind, name], what ? { show: what } : {}) : link([kind]);
	if (kind === "trace")
		return link(["trace"], query);
	if (kind === "calls" || kind === "cdrs")
		return link(["calls"], kind === "calls" ? query : { view: "records", ...query, record: name });
	if (kind === "revisions" || kind === "diff")
		return link(["history", ...(name ? [name] : [])], query);
	return null;
}
