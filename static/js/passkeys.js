// Joins the panel's forms with django-allauth's scripts for passkeys, and says why one failed.
"use strict";

(function () {
  const form = document.querySelector("form[data-passkey]");
  if (!form || !window.allauth) {
    return;
  }
  const ids = { data: "passkey-options", credential: "passkey-credential" };
  const forms = window.allauth.webauthn.forms;
  if (form.dataset.passkey === "add") {
    // allauth's script takes the options with the key's name around them.
    const alone = document.getElementById("id_alone");
    const data = { creation_options: JSON.parse(document.getElementById(ids.data).textContent) };
    const given = { add: "passkey-button", credential: ids.credential, passwordless: alone ? alone.id : undefined };
    forms.addForm({ data, ids: given });
  } else {
    const data = { request_options: JSON.parse(document.getElementById(ids.data).textContent) };
    forms.authenticateForm({ data, ids: { authenticate: "passkey-button", credential: ids.credential } });
  }

  const reasons = {
    NotAllowedError: "The key gave no answer, or you cancelled.",
    InvalidStateError: "This key is added already.",
    SecurityError: "The browser offers no passkeys at this address.",
  };
  document.addEventListener("allauth.error", function (event) {
    event.preventDefault();
    const place = form.querySelector("[data-passkey-error]");
    const error = event.detail.exception;
    place.textContent = reasons[error.name] || "The browser could not use a passkey: " + error.message;
    place.hidden = false;
  });
})();
