// What the switch meant to send, against what the next real call made it send.
import { call } from "./api.js";
import { serverNow } from "./clock.js";
import { Fault } from "./dialog.js";
import { Glyph, State } from "./glyph.js";
import { link } from "./route.js";
import { clockTime, useNow } from "./time.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";

const WATCH_S = 60;

const words = {
	request_uri_user: "Number in the request line", request_uri_host: "Host in the request line", from_user: "Number in From", from_display: "Name in From", to_user: "Number in To",
	p_asserted_identity: "P-Asserted-Identity", p_preferred_identity: "P-Preferred-Identity", remote_party_id: "Remote-Party-ID", privacy: "Privacy", session_expires: "Session-Expires",
	contact_user: "Number in Contact", target: "Sent to",
};

const Value = ({ text }) => text ? html`<code>${text}</code>` : html`<span class="faint">not there</span>`;

function Result({ answer }) {
	if (answer.refused)
		return html`<p><${State} name="bad" text=${`Such a call would be refused: ${answer.refused.code ?? ""} ${answer.refused.reason}`} /></p>`;
	if (!answer.seen)
		return html`<p><${State} name="wait" text="No such call came in time." /></p>`;
	const wrong = answer.fields.filter(field => !field.match).length;
	return html`<p><${Glyph} name=${wrong ? "bad" : "good"} /> <b>${wrong ? `${wrong} of ${answer.fields.length} differ from what was expected.` : "All is as expected."}</b> The call of ${clockTime(answer.seen.at)}, <a href=${link(["trace"], { call_id: answer.seen.call_id })}>its SIP messages</a>.</p>
		<div class="scroll" tabindex="0" role="region" aria-label="Expected and seen"><table class="verified"><thead><tr><th scope="col">Field</th><th scope="col">Expected</th><th scope="col">Seen</th><th scope="col">Match</th></tr></thead>
		<tbody>${answer.fields.map(field => html`<tr key=${field.field}><th scope="row">${words[field.field] || field.field}</th><td><${Value} text=${field.expected} /></td><td><${Value} text=${field.seen} /></td>
			<td><${State} name=${field.match ? "good" : "bad"} text=${field.match ? "as expected" : "differs"} /></td></tr>`)}</tbody></table></div>`;
}

// wanted: {mapping_gateway, callee, caller} of the call that will be made
export function Verify({ wanted }) {
	const now = useNow(), [began, begin] = useState(null), [said, set] = useState({}), given = useRef(null);
	useEffect(() => () => given.current?.abort(), []);
	const watch = async () => {
		const stop = given.current = new AbortController();
		begin({ at: serverNow(), ...wanted });
		set({});
		try {
			set({ answer: (await call("POST", "/verify/call", { body: { ...wanted, watch_s: WATCH_S }, signal: stop.signal })).data });
		} catch (error) {
			if (!stop.signal.aborted)
				set({ error });
		} finally {
			if (given.current === stop)
				begin(null);
		}
	};
	const left = began && Math.max(0, WATCH_S - Math.floor((now - began.at) / 1000));
	return html`<div class="verify">${!began && html`<button type="button" onClick=${watch} disabled=${!wanted.mapping_gateway || !wanted.callee}>Verify with the next real call</button>`}
		${began && html`<div class="watching" role="status"><${Glyph} name="busy" /> <span>Make the call now: <b>${began.callee}</b>${began.caller && html` from <b>${began.caller}</b>`} through <b>${began.mapping_gateway}</b>.</span>
			<span class="left" aria-hidden="true"><span class="tank"><span class="level" style=${{ width: `${100 * left / WATCH_S}%` }}></span></span> ${left} s left</span>
			<button type="button" class="secondary small" onClick=${() => given.current.abort()}>Stop</button></div>`}
		<${Fault} error=${said.error} />${said.answer && html`<${Result} answer=${said.answer} />`}</div>`;
}
