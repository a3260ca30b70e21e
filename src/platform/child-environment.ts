/** What programs need to find their files, their user and their language. None of these holds a secret. */
export const baseVariables: readonly string[] = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TMP", "TEMP"],
  ...[
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "TZ",
    "TZDIR",
  ],
  // Without these no program starts on Windows.
  ...["SystemRoot", "ComSpec", "PATHEXT"],
];

/**
 * The environment of a child process or thread in which a foreign system runs: the base, and the variables that are named. Everything
 * else stays here: tokens, passwords of databases, keys of other systems.
 */
export const childEnvironment = (named: readonly string[] = []): NodeJS.ProcessEnv =>
  Object.fromEntries(
    [...baseVariables, ...named].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
