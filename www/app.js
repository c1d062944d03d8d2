// The frame around every view: who is logged in, where one can go, and whether what is seen is alive.
import { connection, logOut, may, resume, session } from "./api.js";
import { serverNow } from "./clock.js";
import { Glyph } from "./glyph.js";
import { switchcore } from "./live.js";
import { LogIn, PasswordDialog } from "./login.js";
import { link, useRoute } from "./route.js";
import { useStore } from "./store.js";
import { choose, theme } from "./theme.js";
import { clockTime } from "./time.js";
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./vendor/preact.js";

// A view comes when one goes there; see also the end of this file.
const view = (file, name) => async () => (await import(file))[name];
const objectPage = view("./object.js", "ObjectPage"), gateways = view("./gateways.js", "Gateways"), history = view("./history.js", "History");

const places = [
	{ path: "", title: "Overview", icon: "M2 9l6-6 6 6M4 8v6h8V8", view: view("./overview.js", "Overview") },
	{ path: "registrations", title: "Registrations", icon: "M8 2v6l4 2M8 14A6 6 0 1 1 14 8", view: view("./registrations.js", "Registrations") },
	{ path: "gateways", title: "Gateways", icon: "M1 5h10l-3-3M15 11H5l3 3", view: gateways },
	{ path: "calls", title: "Calls", icon: "M3 2l3 1 1 3-2 1a8 8 0 0 0 4 4l1-2 3 1 1 3-2 2A12 12 0 0 1 1 4z", view: view("./calls.js", "Calls") },
	{ path: "trace", title: "Trace", icon: "M3 1v14M13 1v14M3 5h8l-2-2M13 11H5l2 2", view: view("./trace.js", "Trace") },
	{ path: "parameters", title: "Parameters", icon: "M1 4h8M13 4h2M1 12h2M7 12h8M11 2v4M5 10v4", view: view("./parameters.js", "Parameters") },
	{ path: "history", title: "History", icon: "M8 4v4l3 2M2 8a6 6 0 1 0 2-4.5L2 5M2 2v3h3", view: history },
];

// Views that are not in the menu: of one object, or of a new one.
const views = new Map([...places.map(place => [place.path, place.view]),
	["registrations/", objectPage], ["routing-gateways/", objectPage], ["mapping-gateways/", objectPage], ["new/", objectPage], ["history/", history],
	["routing-gateways", gateways], ["mapping-gateways", gateways]]);
const menuOf = { "routing-gateways": "gateways", "mapping-gateways": "gateways" };

function Menu({ at }) {
	const nav = useRef(null);
	useEffect(() => {	// a phone shows only some of it
		const { current: box } = nav, here = box.querySelector("[aria-current]");
		if (here)
			box.scrollLeft = here.offsetLeft + here.offsetWidth / 2 - box.clientWidth / 2;
	}, [at]);
	return html`<nav ref=${nav} aria-label="Main"><ul>${places.map(place => html`<li key=${place.path}><a href=${link(place.path ? [place.path] : [])} aria-current=${at === place.path ? "page" : null}>
		<svg viewBox="0 0 16 16" class="icon" aria-hidden="true"><path d=${place.icon} /></svg><span>${place.title}</span></a></li>`)}</ul></nav>`;
}

const nextTheme = { auto: "light", light: "dark", dark: "auto" }, themeSigns = { auto: "◐", light: "○", dark: "●" };

function Theme() {
	const now = useStore(theme);
	return html`<button type="button" class="plain" onClick=${() => choose(nextTheme[now])} title="Colours">${themeSigns[now]}<span class="label"> ${now}</span><span class="hidden-text"> colours</span></button>`;
}

function Account({ who, onPassword }) {
	return html`<div class="account"><${Theme} /><span class="who"><strong>${who.username}</strong> <small>${who.role}</small></span>
		<button type="button" class="plain" onClick=${onPassword}>Password</button><button type="button" class="plain" onClick=${logOut}>Log out</button></div>`;
}

function Alive() {
	const net = useStore(connection), core = useStore(switchcore);
	if (net.state === "lost")
		return html`<div class="banner bad" role="alert"><${Glyph} name="bad" /> Connection lost. What you see is of ${clockTime(net.since)}; trying again …</div>`;
	if (core && core.state !== "up")
		return html`<div class="banner bad" role="alert"><${Glyph} name="bad" /> The switch is ${core.state === "down" ? "down" : "of another version"}: states are the last known.${core.detail ? ` Reason: ${core.detail}.` : ""}
			${may("operator") && " Changes are stored, and taken when it is back."}</div>`;
	return null;
}

function Broken({ error, again }) {
	return html`<div class="fault" role="alert"><h1>This view has failed</h1><p>${String(error?.message || error)}</p><button type="button" onClick=${again}>Try again</button></div>`;
}

const come = new Map();	// the views that are there, by what loads them

// [the view or undefined while it comes, why it does not come]
function useView(load) {
	const [state, set] = useState({}), here = come.get(load);
	useEffect(() => {
		let current = true;
		if (load && !here)
			load().then(found => { come.set(load, found); if (current) set({ load }); }, error => current && set({ load, error }));
		return () => { current = false; };
	}, [load]);
	return [here, state.load === load ? state.error : null];
}

function View({ route }) {
	const [first = "", second] = route.parts, load = views.get(second === undefined ? first : `${first}/`);
	const [failed, again] = useErrorBoundary(problem => console.error(problem)), [Found, missing] = useView(load);
	useEffect(() => again(), [location.hash]);
	if (failed || missing)
		return html`<${Broken} error=${failed || missing} again=${() => missing ? location.reload() : again()} />`;
	if (!load)
		return html`<h1>Not here</h1><p>There is no such page. <a href="#/">Overview</a></p>`;
	if (!Found)
		return html`<p aria-busy="true">Being loaded …</p>`;
	return html`<${Found} key=${second === undefined ? first : `${first}/${second}`} parts=${route.parts} query=${route.query} />`;
}

function App() {
	const who = useStore(session), route = useRoute(), main = useRef(null), [password, setPassword] = useState(false);
	const here = route.parts.join("/");
	useEffect(() => {
		const name = route.parts[1] || places.find(place => place.path === (route.parts[0] || ""))?.title;
		document.title = who?.role && name ? `${name} · Tandem` : "Tandem";
	}, [here, who?.role]);
	useEffect(() => {	// keyboards and screen readers begin where the new page does
		main.current?.focus({ preventScroll: true });
		scrollTo(0, 0);
	}, [here]);
	useEffect(() => {
		if (!who?.expires_at)
			return undefined;
		const left = Date.parse(who.expires_at) - serverNow();
		const timer = setTimeout(() => session.set({ role: null, expired: true, username: who.username }), Math.min(left, 2 ** 31 - 1));
		return () => clearTimeout(timer);
	}, [who?.expires_at]);
	if (!who)
		return html`<main class="lonely"><p aria-busy="true">Tandem</p></main>`;
	if (!who.role && !who.expired)
		return html`<${LogIn} unreachable=${who.unreachable} />`;
	const at = menuOf[route.parts[0]] || (route.parts[0] === "new" ? menuOf[route.parts[1]] || route.parts[1] : route.parts[0]) || "";
	return html`<a class="skip" href="#content" onClick=${event => { event.preventDefault(); main.current.focus(); }}>To the content</a>
		<header class="top"><a class="brand" href="#/"><img src="icon.svg" alt="" width="24" height="24" /> Tandem</a><${Menu} at=${at} /><${Account} who=${who} onPassword=${() => setPassword(true)} /></header>
		<main id="content" ref=${main} tabindex="-1"><${Alive} /><${View} route=${route} /></main>
		${who.expired && html`<${LogIn} again=${who.username} />`}
		${(who.must_change_password || password) && html`<${PasswordDialog} forced=${who.must_change_password} onClose=${() => setPassword(false)} />`}`;
}

resume();
const first = views.get(location.hash.replace(/^#\/?/, "").split(/[/?]/)[0]);
first?.().then(found => come.set(first, found), () => {});	// while the server looks who is there
render(html`<${App} />`, document.getElementById("app").appendChild(Object.assign(document.createElement("div"), { className: "app" })));
document.querySelector("#app > .lonely")?.remove();

// The other views, once there is nothing more urgent: going there then takes no time, and works while the server is away.
const LATER_MS = 1500;
setTimeout(() => new Set(views.values()).forEach(load => load().catch(() => {})), LATER_MS);
