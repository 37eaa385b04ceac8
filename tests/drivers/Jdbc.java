// SPDX-License-Identifier: ISC
//
// The drivers' scenario by pgjdbc.  Statements become named ones at their second execution.
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.core.BaseConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;

public class Jdbc {
	/** One line of the scenario, with the values below it as pairs of kind and text. */
	private record Step(String verb, String rest, List<String[]> values) {
		String[] words(int n) {
			return rest.split(" ", n + 1);
		}
	}

	private final Connection c;
	private final Map<String, PreparedStatement> prepared = new HashMap<>();

	private Jdbc(Connection c) {
		this.c = c;
	}

	private static List<Step> scenario(String path) throws Exception {
		List<Step> steps = new ArrayList<>();
		for (String line : Files.readAllLines(Paths.get(path))) {
			line = line.replace("SCHEMA", System.getenv("DRIVER_SCHEMA"));
			if (line.isEmpty() || line.startsWith("#"))
				continue;
			String[] words = (line.strip() + " ").split(" ", 2);
			words[1] = words[1].strip();
			if (line.startsWith("  "))
				steps.get(steps.size() - 1).values.add(words);
			else
				steps.add(new Step(words[0], words[1], new ArrayList<>()));
		}
		return steps;
	}

	private void bind(PreparedStatement q, int i, String kind, String text) throws SQLException {
		switch (kind) {
		case "int" -> q.setLong(i, Long.parseLong(text));
		case "float" -> q.setDouble(i, Double.parseDouble(text));
		case "numeric" -> q.setBigDecimal(i, new java.math.BigDecimal(text));
		case "bool" -> q.setBoolean(i, text.equals("true"));
		case "bytes" -> q.setBytes(i, HexFormat.of().parseHex(text));
		case "date" -> q.setObject(i, LocalDate.parse(text));
		case "timestamp" -> q.setObject(i, OffsetDateTime.parse(text));
		case "array" -> q.setArray(i, c.createArrayOf("int4", Stream.of(text.split(","))
			.map(w -> w.equals("null") ? null : Integer.valueOf(w)).toArray()));
		case "repeat" -> q.setString(i, "y".repeat(Integer.parseInt(text)));
		case "null" -> q.setNull(i, Types.VARCHAR);
		default -> q.setString(i, text);
		}
	}

	private static void say(String text) {
		System.out.println("  " + text);
	}

	private static String shown(ResultSet r, int i) throws SQLException {
		Object v = r.getObject(i);
		if (v == null)
			return "null";
		if (v instanceof byte[] bytes)
			return "\\x" + HexFormat.of().formatHex(bytes);
		if (v instanceof Timestamp t)
			return t.toInstant().toString();
		if (v instanceof Array a)
			return Stream.of((Object[]) a.getArray()).map(String::valueOf)
				.collect(Collectors.joining(", ", "[", "]"));
		return v.toString();
	}

	private PreparedStatement statement(Step s) throws SQLException {
		PreparedStatement q = c.prepareStatement(s.rest.replaceAll("\\$\\d+", "?"));
		for (int i = 0; i < s.values.size(); i++)
			bind(q, i + 1, s.values.get(i)[0], s.values.get(i)[1]);
		return q;
	}

	private void execute(String sql) throws SQLException {
		try (Statement q = c.createStatement()) {
			q.execute(sql);
		}
	}

	private void rows(Step s) throws SQLException {
		try (PreparedStatement q = statement(s); ResultSet r = q.executeQuery()) {
			int columns = r.getMetaData().getColumnCount();
			while (r.next()) {
				StringJoiner line = new StringJoiner(" | ");
				for (int i = 1; i <= columns; i++)
					line.add(shown(r, i));
				say(line.toString());
			}
		}
	}

	private void sum(String sql, int fetchSize) throws SQLException {
		long rows = 0, sum = 0;
		try (PreparedStatement q = c.prepareStatement(sql)) {
			q.setFetchSize(fetchSize);
			try (ResultSet r = q.executeQuery()) {
				for (; r.next(); rows++)
					sum += r.getLong(1);
			}
		}
		say(rows + " rows, sum " + sum);
	}

	/** A fetch size makes the driver read through a portal, if in a transaction. */
	private void cursor(Step s) throws SQLException {
		c.setAutoCommit(false);
		sum(s.words(1)[1], Integer.parseInt(s.words(1)[0]));
		end(true);
	}

	private void end(boolean commit) throws SQLException {
		if (commit)
			c.commit();
		else
			c.rollback();
		c.setAutoCommit(true);
	}

	private void run(Step s) throws SQLException {
		PreparedStatement q = prepared.get(s.words(1)[0]);
		StringJoiner line = new StringJoiner(", ");
		for (int n = 0; n < Integer.parseInt(s.words(1)[1]); n++) {
			q.setInt(1, n);
			try (ResultSet r = q.executeQuery()) {
				r.next();
				line.add(r.getString(1));
			}
		}
		say(line.toString());
	}

	private void distinct(int count) throws SQLException {
		List<PreparedStatement> all = new ArrayList<>();
		long sum = 0;
		for (int n = 0; n < count; n++)
			all.add(c.prepareStatement("select " + n));
		for (int twice = 0; twice < 2; twice++) {
			sum = 0;
			for (PreparedStatement q : all) {
				ResultSet r = q.executeQuery();
				r.next();
				sum += r.getLong(1);
			}
		}
		for (PreparedStatement q : all)
			q.close();
		say(String.valueOf(sum));
	}

	private void copyIn(String table, String lines) throws Exception {
		c.unwrap(PGConnection.class).getCopyAPI()
			.copyIn("copy " + table + " from stdin", new StringReader(lines));
	}

	private void copyOut(String query) throws Exception {
		StringWriter out = new StringWriter();
		c.unwrap(PGConnection.class).getCopyAPI().copyOut("copy (" + query + ") to stdout", out);
		say(out.toString().lines().count() + " lines, "
			+ out.toString().getBytes(StandardCharsets.UTF_8).length + " bytes");
	}

	/** A batch is a pipeline with a Sync behind it. */
	private void pipeline(Step s) throws SQLException {
		String[] w = s.words(2);
		try (PreparedStatement q = c.prepareStatement("insert into " + w[0] + " values (?)")) {
			for (int n = Integer.parseInt(w[1]); n <= Integer.parseInt(w[2]); n++) {
				q.setInt(1, n);
				q.addBatch();
			}
			q.executeBatch();
		}
	}

	private void notice(String text) throws SQLException {
		try (Statement q = c.createStatement()) {
			q.execute("do $$ begin raise notice '" + text + "'; end $$");
			say("notice: " + q.getWarnings().getMessage());
		}
	}

	private void listen(Step s) throws SQLException {
		String channel = s.words(1)[0];
		execute("listen " + channel);
		execute("notify " + channel + ", '" + s.words(1)[1] + "'");
		PGNotification[] heard = c.unwrap(PGConnection.class).getNotifications(30000);
		say(heard[0].getName() + " " + heard[0].getParameter());
		execute("unlisten " + channel);
	}

	private void largeObject(int size) throws SQLException {
		byte[] data = new byte[size], back = new byte[5];
		for (int i = 0; i < size; i++)
			data[i] = (byte) (i * 7 % 251);
		c.setAutoCommit(false);
		LargeObjectManager all = c.unwrap(PGConnection.class).getLargeObjectAPI();
		long oid = all.createLO();
		LargeObject lob = all.open(oid, LargeObjectManager.READWRITE);
		lob.write(data);
		lob.seek(10);
		lob.read(back, 0, back.length);
		say("\\x" + HexFormat.of().formatHex(back) + " of " + lob.size());
		lob.close();
		all.delete(oid);
		end(true);
	}

	/**
	 * Cancels until told to stop: the first request may come before the statement.  A Statement
	 * sends one request for each execution, so the later ones are the connection's.
	 */
	private void cancel(String sql) throws Exception {
		CountDownLatch over = new CountDownLatch(1);
		try (Statement q = c.createStatement()) {
			Thread canceller = new Thread(() -> {
				try {
					while (!over.await(300, TimeUnit.MILLISECONDS)) {
						q.cancel();
						if (!over.await(300, TimeUnit.MILLISECONDS))
							c.unwrap(BaseConnection.class).cancelQuery();
					}
				} catch (InterruptedException | SQLException e) {
					throw new IllegalStateException(e);
				}
			});
			canceller.start();
			try {
				q.execute(sql);
			} finally {
				over.countDown();
				canceller.join();
			}
		}
	}

	private void play(Step s) throws Exception {
		switch (s.verb) {
		case "section" -> System.out.println(s.rest);
		case "do" -> execute(s.rest);
		case "rows" -> rows(s);
		case "sum" -> sum(s.rest, 0);
		case "size" -> {
			try (Statement q = c.createStatement(); ResultSet r = q.executeQuery(s.rest)) {
				r.next();
				say(String.valueOf(r.getString(1).length()));
			}
		}
		case "prepare" -> prepared.put(s.words(1)[0],
			c.prepareStatement(s.words(1)[1].replaceAll("\\$\\d+", "?")));
		case "run" -> run(s);
		case "distinct" -> distinct(Integer.parseInt(s.rest));
		case "begin" -> c.setAutoCommit(false);
		case "commit" -> end(true);
		case "rollback" -> end(false);
		case "savepoint" -> execute("savepoint " + s.rest);
		case "rollback_to" -> execute("rollback to " + s.rest);
		case "cursor" -> cursor(s);
		case "copy_in" -> {
			int count = Integer.parseInt(s.words(1)[1]);
			copyIn(s.words(1)[0], IntStream.range(1000, 1000 + count)
				.mapToObj(n -> n + "\tcopied " + n + "\\t\\\\ ☃\n").collect(Collectors.joining()));
		}
		case "copy_bad" -> copyIn(s.rest, "9000\tcopied 9000\nx\ty\n");
		case "copy_out" -> copyOut(s.rest);
		case "pipeline" -> pipeline(s);
		case "notice" -> notice(s.rest);
		case "listen" -> listen(s);
		case "large_object" -> largeObject(Integer.parseInt(s.rest));
		case "cancel" -> cancel(s.rest);
		default -> throw new IllegalArgumentException(s.verb);
		}
	}

	public static void main(String[] args) throws Exception {
		Map<String, String> words = Stream.of(System.getenv("DRIVER_DSN").split(" "))
			.map(w -> w.split("=", 2)).collect(Collectors.toMap(w -> w[0], w -> w[1]));
		String url = "jdbc:postgresql://" + words.get("host") + ":" + words.get("port") + "/"
			+ words.get("dbname") + "?prepareThreshold=2";
		System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
		try (Connection c = DriverManager.getConnection(url, words.get("user"), "")) {
			Jdbc driver = new Jdbc(c);
			for (Step s : scenario(args[0])) {
				try {
					driver.play(s);
				} catch (SQLException e) {
					SQLException first = e instanceof BatchUpdateException ? e.getNextException() : e;
					say("! " + first.getSQLState() + " " + (first instanceof PSQLException p
						&& p.getServerErrorMessage() != null
						? p.getServerErrorMessage().getMessage() : first.getMessage()));
				}
			}
		}
	}
}
