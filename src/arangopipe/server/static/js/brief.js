// Forms that ask with an address: what they leave empty does not stand in it.
import { enhance } from "./dom.js";

enhance("form[data-brief]", (form) => {
  form.addEventListener("formdata", ({ formData }) => {
    const said = [...formData].filter(([, value]) => value !== "");
    for (const name of new Set(formData.keys())) formData.delete(name);
    for (const [name, value] of said) formData.append(name, value);
  });
});
