// The tabs: one is chosen, arrow keys go round, Home and End to the ends.

export function setUpTabs(list: HTMLElement, panel: HTMLElement, onChoose: (id: string) => void): void {
  const tabs = [...list.querySelectorAll<HTMLButtonElement>("[role=tab]")];
  const choose = (chosen: HTMLButtonElement) => {
    if (chosen.getAttribute("aria-selected") === "true") return;
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", chosen.id);
    onChoose(chosen.id.replace(/^tab-/, ""));
  };
  for (const [i, tab] of tabs.entries()) {
    tab.onclick = () => choose(tab);
    tab.onkeydown = (event) => {
      const places: Readonly<Record<string, number>> = {
        ArrowRight: i + 1,
        ArrowLeft: i - 1,
        Home: 0,
        End: tabs.length - 1,
      };
      const place = places[event.key];
      if (place === undefined) return;
      event.preventDefault();
      const next = tabs[(place + tabs.length) % tabs.length];
      next.focus();
      choose(next);
    };
  }
}
