/** Begin anew, with the choice of an image: another folder is at the page's address now, and nothing shown is of it. */
export function reopen() {
  history.replaceState(null, "", location.pathname + location.search);
  location.reload();
}
