// A change that goes back by itself unless somebody says that it is to stay.
import { call, get, may, path } from "./api.js";
import { Fault } from "./dialog.js";
import { Glyph } from "./glyph.js";
import { link } from "./route.js";
import { useLoad } from "./store.js";
import { clockTime, ms, span, useNow } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";

const LATE_MS = 1500;	// after the deadline the switch writes what goes back
const LONGEST_MS = 3600000;	// confirm_within is an hour at most
const ASKED = 50, OBJECTS = 100;	// revisions looked into, and objects in one: their details may be large

const RevisionLink = ({ number }) => html`<a href=${link(["history", String(number)])}>revision ${number}</a>`;

function Pending({ number, confirmation, onChanged }) {
	const now = useNow(), left = (ms(confirmation.confirm_by) - now) / 1000, over = left <= 0, [busy, setBusy] = useState(false), [error, setError] = useState(null);
	useEffect(() => {
		if (!over)
			return undefined;
		const timer = setInterval(onChanged, LATE_MS);
		return () => clearInterval(timer);
	}, [over]);
	const keep = async () => {
		setBusy(true);
		setError(null);
		await call("POST", path("revisions", String(number), "confirm")).catch(setError);
		setBusy(false);
		onChanged();
	};
	return html`<div class="pending"><p><${Glyph} name="wait" /> <${RevisionLink} number=${number} /> ${over ? html`is going back …` : html`goes back in <b title=${confirmation.confirm_by}>${span(left)}</b> unless it is kept.`}</p>
		${may("operator") && !over && html`<button type="button" aria-busy=${busy} disabled=${busy} onClick=${keep}>Keep it<span class="hidden-text">: revision ${number}</span></button>`}<${Fault} error=${error} /></div>`;
}

// confirmation: as GET /revisions/N answers it
export function Confirmation({ number, confirmation, onChanged }) {
	if (!confirmation)
		return null;
	const { state, settled_at: at, settled_by: by, rolled_back_by: back, detail } = confirmation;
	if (state === "pending")
		return html`<${Pending} number=${number} confirmation=${confirmation} onChanged=${onChanged} />`;
	const when = at && html`, <time datetime=${at} title=${at}>${clockTime(at)}</time>`;
	if (state === "confirmed")
		return html`<p class="settled"><${Glyph} name="good" /> It was to go back unless kept: kept by ${by}${when}.</p>`;
	if (state === "rolled_back")
		return html`<p class="settled"><${Glyph} name="gone" /> Not kept in time: ${back ? html`it went back with <${RevisionLink} number=${back} />` : "nothing of it was left to go back"}${when}.${detail && ` ${detail}`}</p>`;
	return html`<p class="settled"><${Glyph} name="bad" /> Not kept in time, and it could not go back${when}: ${detail || "the server does not say why"}.</p>`;
}

// Those that wait, of a list.  The list does not tell which do, so the young ones are asked.
async function waiting(items) {
	const young = items.filter(item => Date.now() - ms(item.at) < LONGEST_MS && item.changes.length <= OBJECTS).slice(0, ASKED);
	const details = await Promise.all(young.map(item => get(path("revisions", String(item.revision)))));
	return details.filter(detail => detail.confirmation?.state === "pending");
}

export function Waiting({ items }) {
	const { data, reload } = useLoad(() => waiting(items), [items[0]?.revision]);
	return (data || []).map(one => html`<${Pending} key=${one.revision} number=${one.revision} confirmation=${one.confirmation} onChanged=${reload} />`);
}
