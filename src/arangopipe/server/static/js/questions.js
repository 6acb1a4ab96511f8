// Questions: plots of answers, and tables that sort.
import "./plots.js";
import "./sorting.js";
