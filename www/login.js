// Logging in, again after the session ended, and the password.
import { changePassword, logIn, logOut, resume, session } from "./api.js";
import { Dialog, Fault } from "./dialog.js";
import { html, useEffect, useState } from "./vendor/preact.js";

const PASSWORD_LEAST = 12;
const AGAIN_MS = 2000;

function Credentials({ username: known, onDone }) {
	const [username, setUsername] = useState(known || ""), [password, setPassword] = useState(""), [error, setError] = useState(null), [busy, setBusy] = useState(false);
	const submit = async event => {
		event.preventDefault();
		setBusy(true);
		setError(null);
		try {
			await logIn(username, password);
			onDone?.();
		} catch (problem) {
			setError(problem);
			setPassword("");
			setBusy(false);
		}
	};
	return html`<form class="credentials" onSubmit=${submit}>
		<label>User name<input name="username" autocomplete="username" required value=${username} onInput=${event => setUsername(event.target.value)} /></label>
		<label>Password<input name="password" type="password" autocomplete="current-password" required value=${password} onInput=${event => setPassword(event.target.value)} /></label>
		<${Fault} error=${error} />
		<button type="submit" disabled=${busy} aria-busy=${busy}>Log in</button></form>`;
}

// again: the name of a user whose session ended; what was being done stays behind the dialog
export function LogIn({ unreachable, again }) {
	useEffect(() => {
		const timer = unreachable ? setInterval(resume, AGAIN_MS) : null;
		return () => clearInterval(timer);
	}, [unreachable]);
	if (again)
		return html`<${Dialog} title="Your session has ended"><p>Log in to go on where you were.</p><${Credentials} username=${again} />
			<p><button type="button" class="plain" onClick=${logOut}>Leave instead</button></p></${Dialog}>`;
	return html`<main class="lonely"><article><h1 elementtiming="useful"><img src="icon.svg" alt="" width="36" height="36" /> Tandem</h1>
		${unreachable ? html`<p role="alert">The server does not answer; trying again …</p>` : html`<${Credentials} />`}</article></main>`;
}

export function PasswordDialog({ forced, onClose }) {
	const [current, setCurrent] = useState(""), [next, setNext] = useState(""), [repeated, setRepeated] = useState(""), [error, setError] = useState(null), [busy, setBusy] = useState(false);
	const differs = repeated !== "" && repeated !== next;
	const submit = async event => {
		event.preventDefault();
		setBusy(true);
		try {
			await changePassword(current, next);
			onClose();
		} catch (problem) {
			setError(problem);
			setBusy(false);
		}
	};
	return html`<${Dialog} title=${forced ? "Choose your own password first" : "Change your password"} onClose=${forced ? null : onClose}><form onSubmit=${submit}>
		${forced && html`<p>The password you came with was made for one use. Until you have your own, nothing can be changed.</p>`}
		<input name="username" autocomplete="username" value=${session.value?.username} hidden readonly />
		<label>Current password<input name="current" type="password" autocomplete="current-password" required value=${current} onInput=${event => setCurrent(event.target.value)} /></label>
		<label>New password<input name="new" type="password" autocomplete="new-password" required aria-describedby="password-least" value=${next} onInput=${event => setNext(event.target.value)} />
			<small id="password-least">At least ${PASSWORD_LEAST} characters.</small></label>
		<label>Once more<input name="repeated" type="password" autocomplete="new-password" required aria-invalid=${differs ? "true" : null} value=${repeated} onInput=${event => setRepeated(event.target.value)} />
			${differs && html`<small>The two differ.</small>`}</label>
		<${Fault} error=${error} />
		<footer>${forced ? html`<button type="button" class="secondary" onClick=${logOut}>Log out</button>` : html`<button type="button" class="secondary" onClick=${onClose}>Cancel</button>`}
			<button type="submit" disabled=${busy || differs} aria-busy=${busy}>Change it</button></footer></form></${Dialog}>`;
}
