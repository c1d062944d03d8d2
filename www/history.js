// The history: who changed what and when; any two revisions compared; one looked at, and made current again.
import { Audit } from "./audit.js";
import { Compare } from "./compare.js";
import { Revision } from "./revision.js";
import { Revisions } from "./revisions.js";
import { html } from "./vendor/preact.js";

export function History({ parts, query }) {
	if (parts[1] !== undefined)
		return html`<${Revision} number=${parts[1]} />`;
	if ("compare" in query || "from" in query || "to" in query)
		return html`<${Compare} query=${query} />`;
	return html`<h1>History</h1><${Audit} /><${Revisions} query=${query} />`;
}
