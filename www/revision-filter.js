// Which revisions: by person, object, time and text.  Kept in the address, under the names that the API gives them.
import { setQuery } from "./route.js";
import { html } from "./vendor/preact.js";
import { noun } from "./words.js";

const NAMES = ["actor", "kind", "name", "since", "until", "q"];

export const filterOf = query => Object.fromEntries(NAMES.filter(name => query[name]).map(name => [name, query[name]]));

const two = n => String(n).padStart(2, "0");

// Between RFC 3339 and what <input type="datetime-local"> holds: the viewer's own time.
function localText(at) {
	const then = new Date(at);
	if (!at || Number.isNaN(then.getTime()))
		return "";
	const seconds = then.getSeconds() ? `:${two(then.getSeconds())}` : "";
	return `${String(then.getFullYear()).padStart(4, "0")}-${two(then.getMonth() + 1)}-${two(then.getDate())}T${two(then.getHours())}:${two(then.getMinutes())}${seconds}`;
}

export function fromLocal(text) {
	const then = new Date(text);
	return text && !Number.isNaN(then.getTime()) ? then.toISOString() : "";
}

export function RevisionFilter({ query, kinds, actors }) {
	const set = more => setQuery({ ...query, ...more }), typed = name => event => set({ [name]: event.target.value });
	const moment = name => event => set({ [name]: fromLocal(event.target.value) });
	const given = Object.keys(filterOf(query)).length;
	return html`<form class="history-filter" aria-label="Filter revisions" onSubmit=${event => event.preventDefault()}>
		<label>Text <input type="search" maxlength="128" placeholder="in comment or names" value=${query.q || ""} onInput=${typed("q")} /></label>
		<label>Person <input list="history-actors" maxlength="63" autocomplete="off" spellcheck=${false} placeholder="anybody" value=${query.actor || ""} onInput=${typed("actor")} /></label>
		<datalist id="history-actors">${actors.map(actor => html`<option key=${actor} value=${actor} />`)}</datalist>
		<label>Kind <select onChange=${typed("kind")}><option value="" selected=${!query.kind}>any</option>${[...(kinds?.keys() || (query.kind ? [query.kind] : []))].map(kind => html`<option key=${kind} value=${kind} selected=${kind === query.kind}>${noun(kind)}</option>`)}</select></label>
		<label>Name <input maxlength="63" autocomplete="off" spellcheck=${false} placeholder="any" value=${query.name || ""} onInput=${typed("name")} /></label>
		<label class="moment">From <input type="datetime-local" value=${localText(query.since)} onChange=${moment("since")} /></label>
		<label class="moment">Before <input type="datetime-local" value=${localText(query.until)} onChange=${moment("until")} /></label>
		${given > 0 && html`<button type="button" class="secondary" onClick=${() => setQuery({})}>Clear</button>`}</form>`;
}
