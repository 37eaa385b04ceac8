/* SPDX-License-Identifier: ISC
 *
 * gate_git: which lines the working tree has changed since it left a branch, by asking git.
 *
 * `git diff --merge-base REF` compares with where the branch began, so that what happened on REF
 * meanwhile is not ours.  Files that git does not know yet are new from end to end.
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What a git command prints; false: it failed, and said why on stderr. */
static bool ask(const struct gate *g, char *const *words, struct text *out)
{
	posix_spawn_file_actions_t acts;
	char buf[65536];
	int fd[2], status = -1, e;
	ssize_t n;
	pid_t pid;

	(void)g;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return false;
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_adddup2(&acts, fd[1], 1);
	e = posix_spawnp(&pid, "git", &acts, NULL, words, environ);
	posix_spawn_file_actions_destroy(&acts);
	close(fd[1]);
	if (e) {
		fprintf(stderr, "pgassay: --changed-only needs git: %s\n", strerror(e));
		close(fd[0]);
		return false;
	}
	while ((n = read(fd[0], buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
		text_add(out, buf, n > 0 ? (size_t)n : 0);
	close(fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void add_lines(struct gate *g, struct str path, uint32_t first, uint32_t last)
{
	*VEC_PUSH(&g->changed) = (struct git_lines){arena_str(&g->arena, path), first, last};
}

/* A path as git writes it in a patch: quoted as in C when it has odd bytes. */
static struct str patch_path(struct gate *g, struct str s)
{
	char *out;
	size_t n = 0;

	if (!s.n || s.p[0] != '"') {
		size_t tab = str_find(s, "\t"); /* names with blanks end with one */
		return str_before(s, tab);
	}
	out = arena_alloc(&g->arena, s.n);
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] != '\\') {
			out[n++] = s.p[i];
		} else if (i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '7') {
			out[n++] = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 +
					  (s.p[i + 3] - '0'));
			i += 3;
		} else {
			char c = s.p[++i];
			out[n++] = c == 't' ? '\t' : c == 'n' ? '\n' : c;
		}
	}
	return (struct str){out, n};
}

/* "@@ -a,b +c,d @@": lines c … c + d - 1 are new. */
static void read_hunk(struct gate *g, struct str path, struct str line)
{
	size_t at = str_find(line, " +");
	unsigned long first, count = 1;
	char *text = arena_cstr(&g->arena, str_skip(line, at + 2)), *end;

	first = strtoul(text, &end, 10);
	if (*end == ',')
		count = strtoul(end + 1, NULL, 10);
	if (count > 0)
		add_lines(g, path, (uint32_t)first, (uint32_t)(first + count - 1));
	else /* lines were taken out here: the statement around has changed */
		add_lines(g, path, (uint32_t)(first ? first : 1), (uint32_t)first + 1);
}

static void read_patch(struct gate *g, struct str patch)
{
	struct str path = STR_NONE;

	while (patch.n) {
		size_t end = str_find(patch, "\n");
		struct str line = str_before(patch, end);
		if (str_starts(line, "+++ ")) {
			path = patch_path(g, str_skip(line, 4));
			path = str_starts(path, "b/") ? str_skip(path, 2) : STR_NONE;
		} else if (str_starts(line, "@@ ") && path.n) {
			read_hunk(g, path, line);
		}
		patch = str_skip(patch, end + 1);
	}
}

bool gate_git(struct gate *g, const char *base)
{
	char *root = arena_cstr(&g->arena, g->root), *ref = arena_cstr(&g->arena, str_of(base));
	char words[][24] = {"git", "-C", "-c", "core.quotePath=false", "diff", "--unified=0",
		"--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/", "--merge-base",
		"--", "ls-files", "-z", "--others", "--exclude-standard"};
	char *diff[] = {words[0], words[1], root, words[2], words[3], words[4], words[5], words[6],
		words[7], words[8], words[9], words[10], ref, words[11], NULL};
	char *others[] = {
		words[0], words[1], root, words[12], words[13], words[14], words[15], NULL};
	struct text patch = {0}, names = {0};
	bool ok = base[0] != '-' && ask(g, diff, &patch) && ask(g, others, &names);

	if (!ok)
		fprintf(stderr,
			"pgassay: --changed-only: git cannot tell what has changed since \"%s\" "
			"(in a "
			"shallow clone fetch it first: git fetch --depth=100 origin BRANCH)\n",
			base);
	read_patch(g, text_slice(&patch));
	for (struct str rest = text_slice(&names); rest.n;) {
		size_t n = strnlen(rest.p, rest.n);
		add_lines(g, str_before(rest, n), 1, UINT32_MAX);
		rest = str_skip(rest, n + 1);
	}
	g->has_changes = ok;
	g->is_partial = true;
	text_release(&patch);
	text_release(&names);
	return ok;
}

bool gate_changed(struct gate *g, const char *file, uint64_t first, uint64_t last)
{
	struct str path;

	if (!g->has_changes)
		return true;
	if (!gate_path(g, str_of(file), &path))
		return false;
	for (size_t i = 0; i < g->changed.n; i++)
		if (str_eq(g->changed.at[i].path, path) && g->changed.at[i].first <= last &&
			g->changed.at[i].last >= first)
			return true;
	return false;
}

const char *gate_git_base(struct gate *g)
{
	static const char *const servers[] = {"GITHUB_BASE_REF",
		"CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
		"CHANGE_TARGET"}; /* GitHub, GitLab, Jenkins say where it goes */
	char *root = arena_cstr(&g->arena, g->root);
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		const char *branch = getenv(servers[i]);
		if (branch && *branch)
			return arena_printf(&g->arena, "origin/%s", branch).p;
	}
	char words[][32] = {"git", "-C", "rev-parse", "--verify", "--quiet", "origin/HEAD"};
	char *probe[] = {words[0], words[1], root, words[2], words[3], words[4], words[5], NULL};
	struct text out = {0};
	bool ok = ask(g, probe, &out);

	text_release(&out);
	return ok ? "origin/HEAD" : "main";
}
