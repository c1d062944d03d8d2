// A change that goes back by itself unless somebody says that it is to stay.
import { call, get, may, path } from "./api.js";
import { Fault } from "./dialog.js";
import { Glyph } from "./glyph.js";
import { newestRevision } from "./live.js";
import { link } from "./route.js";
import { useLoad, useStore } from "./store.js";
import { clockTime, ms, span, useNow } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";

const LATE_MS = 1500;	// after the deadline the switch writes what goes back
const AGAIN_MS = 10000;		// no event tells that somebody else kept it
const MOST = 50;

const RevisionLink = ({ number }) => html`<a href=${link(["history", String(number)])}>revision ${number}</a>`;

function Pending({ number, confirmation, onChanged }) {
	const now = useNow(), left = (ms(confirmation.confirm_by) - now) / 1000, over = left <= 0, [busy, setBusy] = useState(false), [error, setError] = useState(null);
	useEffect(() => {
		const timer = setInterval(onChanged, over ? LATE_MS : AGAIN_MS);
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

// All that wait.
async function waiting() {
	const { items } = await get("/revisions", { pending: true, limit: MOST });
	const details = await Promise.all(items.map(item => get(path("revisions", String(item.revision)))));
	return details.filter(detail => detail.confirmation?.state === "pending");
}

export function Waiting() {
	const latest = useStore(newestRevision), { data, error, reload } = useLoad(waiting, [latest?.revision]);
	return html`<${Fault} error=${error} />${(data || []).map(one => html`<${Pending} key=${one.revision} number=${one.revision} confirmation=${one.confirmation} onChanged=${reload} />`)}`;
}
