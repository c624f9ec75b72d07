// The API page: sends what is typed to the panel itself, with the token that is typed there.
"use strict";

(() => {
  const token = document.getElementById("api-token");

  async function send(form) {
    let path = form.dataset.apiPath;
    const query = new URLSearchParams();
    const headers = { Authorization: `Bearer ${token.value.trim()}` };
    let body;
    for (const field of form.querySelectorAll("[data-api-in]")) {
      const { apiIn: place, apiName: name } = field.dataset;
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(field.value));
      else if (place === "body") body = field.value;
      else if (field.value && place === "query") query.set(name, field.value);
      else if (field.value && place === "header") headers[name] = field.value;
    }
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const address = query.size ? `${path}?${query}` : path;
    const answer = await fetch(address, { method: form.dataset.apiMethod, headers, body, credentials: "omit" });
    const lines = [`${answer.status} ${answer.statusText}`];
    for (const name of ["ETag", "Location", "Retry-After", "Idempotency-Replayed"]) {
      if (answer.headers.has(name)) lines.push(`${name}: ${answer.headers.get(name)}`);
    }
    const text = await answer.text();
    try {
      lines.push("", JSON.stringify(JSON.parse(text), null, 2));
    } catch {
      lines.push("", text);
    }
    return lines.join("\n");
  }

  for (const form of document.querySelectorAll("form.api-try")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const output = form.querySelector(".api-answer");
      output.hidden = false;
      output.textContent = "…";
      output.textContent = await send(form).catch((error) => String(error));
    });
  }
  document.querySelector("[data-api-token]").hidden = false;
  const open = document.getElementById(location.hash.slice(1));
  if (open instanceof HTMLDetailsElement) open.open = true;
})();
