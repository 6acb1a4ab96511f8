// Questions: forms with short addresses, and plots of answers.
import "./brief.js";
import "./plots.js";
