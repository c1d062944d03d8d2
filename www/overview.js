// Both daemons at a glance, and what to do about what is wrong.
import { get, may, mayHaveCome } from "./api.js";
import { AdviceList } from "./advice.js";
import { Chart, useSamples } from "./chart.js";
import { Fault } from "./dialog.js";
import { Glyph, State } from "./glyph.js";
import { switchcore } from "./live.js";
import { link } from "./route.js";
import { useStore } from "./store.js";
import { span } from "./time.js";
import { html, useLayoutEffect, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const EVERY_MS = 1000;
const STATES = ["registered", "registering", "queued", "waiting", "unregistering", "unregistered", "disabled"];

// Begun with the page that opens here, while the server still looks who is there.
let first = mayHaveCome() && /^#?\/?$/.test(location.hash) ? get("/status") : null;
first?.catch(() => {});

// The newest /status, once a second while it is looked at.
function useStatus() {
	const [state, set] = useState({});
	useLayoutEffect(() => {
		let current = true, timer;
		const ask = () => (first || get("/status")).then(status => { switchcore.set(status.switchcore); if (current) set({ status }); },
		                                      error => current && set(old => ({ ...old, error })))
			.then(() => { first = null; if (current) timer = setTimeout(ask, EVERY_MS); });
		ask();
		return () => { current = false; clearTimeout(timer); };
	}, []);
	return state;
}

function Switch({ status }) {
	const core = status.switchcore, up = core.state === "up";
	return html`<article class="tile"><h2>Switch</h2><p class="big"><${State} name=${core.state} text=${core.state} /></p>
		<p elementtiming="useful">${up ? html`for ${span(core.uptime_s)}, version ${core.version}` : core.detail || "Its last states are shown."}</p></article>`;
}

// Stored, published and applied: level, or where it hangs.
function Revisions({ status }) {
	const stored = status.mgmtd.stored_revision, applied = status.switchcore.applied_revision, level = stored === applied;
	return html`<article class="tile"><h2>Configuration</h2>
		<ol class="pipeline"><li><span>stored</span><a href=${stored ? link(["history", String(stored)]) : null}>r${stored}</a></li>
			<li><span>published</span><b>#${status.mgmtd.published_generation}</b></li>
			<li class=${level ? "level" : "behind"}><span>applied</span><b>${applied === null ? "–" : `r${applied}`}</b></li></ol>
		<p><${Glyph} name=${level ? "good" : "wait"} /> ${level ? "The switch runs what is stored." : applied === null ? "The switch runs nothing that is known." : `The switch is ${plural(stored - applied, "revision")} behind.`}</p></article>`;
}

function RegistrationStates({ status }) {
	const { total, by_state: states } = status.registrations;
	return html`<article class="tile wide"><h2><a href="#/registrations">Registrations</a></h2><p class="big">${(states.registered || 0).toLocaleString()}<small> of ${total.toLocaleString()} registered</small></p>
		<div class="bar" role="img" aria-label="Shares of the states">${STATES.filter(state => states[state]).map(state => html`<span key=${state} class=${`part ${state}`} style=${{ flexGrow: states[state] }}></span>`)}</div>
		${total === 0 && may("operator") && html`<p>None yet: <a href="#/new/registrations">add the first</a>.</p>`}
		<ul class="states">${STATES.filter(state => states[state]).map(state => html`<li key=${state}><a href=${link(["registrations"], { state })}><${State} name=${state} /> <b>${states[state].toLocaleString()}</b></a></li>`)}</ul></article>`;
}

function CallsNow({ status }) {
	const { active, per_second: rate } = status.calls;
	const samples = useSamples(status, [active, rate], EVERY_MS);
	return html`<article class="tile full"><div><h2><a href="#/calls">Calls</a></h2><p class="big">${(active ?? 0).toLocaleString()}<small> now</small></p><p class="big">${rate ?? 0}<small> per second</small></p></div>
		<${Chart} label="Calls now and calls per second, the last five minutes" samples=${samples} series=${[{ label: "now", tone: "good" }, { label: "per second", tone: "busy" }]} /></article>`;
}

export function Overview() {
	const { status, error } = useStatus();
	useStore(switchcore);
	return html`<h1>Overview</h1>${error && !status && html`<${Fault} error=${error} />`}
		${status && html`<div class="tiles"><${Switch} status=${status} /><${Revisions} status=${status} /><${RegistrationStates} status=${status} /><${CallsNow} status=${status} /></div>`}
		<${AdviceList} />`;
}
