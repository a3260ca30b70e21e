/** The variables by which programs find their files, user and language. None of them contains a secret. */
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
  // Windows starts no program without these.
  ...["SystemRoot", "ComSpec", "PATHEXT"],
];

/**
 * The environment of a child process or thread that runs a foreign system: the base variables and the named
 * ones. Everything else, such as tokens, database passwords and keys of other systems, is withheld.
 */
export const childEnvironment = (named: readonly string[] = []): NodeJS.ProcessEnv =>
  Object.fromEntries(
    [...baseVariables, ...named].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
