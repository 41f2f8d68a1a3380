// Every sentence and label the page shows, in English, by screen: a translation is one more file of
// this form. Text with numbers or names in it is a function that returns plain text; what is shown
// of hosts, tags and drivers still goes through the components of names.js. Pure.

export const en = {
  // views/today.js, views/map.js, views/hosts.js and what only they use
  today: {},
  map: {},
  hosts: {},

  // views/host.js and its parts
  host: {},

  // views/tags.js, views/tag.js, views/explain.js, views/drivers.js, views/driver.js
  tags: {},
  tag: {},
  explain: {},
  drivers: {},

  // views/findings.js, views/finding.js
  findings: {},
  finding: {},

  // views/diagnose.js, views/admin.js, views/account.js, views/setup.js, views/signin.js
  diagnose: {},
  admin: {},
  account: {},

  // components: the shell, dialogs, states, keys
  shell: {},
  states: {},
};
