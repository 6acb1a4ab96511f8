// Questions: forms with short addresses, plots of answers, and tables that sort.
import "./brief.js";
import "./plots.js";
import "./sorting.js";
