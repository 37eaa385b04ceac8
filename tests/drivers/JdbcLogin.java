// SPDX-License-Identifier: ISC
//
// Tries logins with pgjdbc: reads lines "url TAB user TAB password", answers each with a line:
// "ok", or the SQLSTATE and the message of the refusal.  Started by tests/live/authkit.py.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public class JdbcLogin {
	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
		PrintStream out = new PrintStream(System.out, true, "UTF-8");
		String line;

		Class.forName("org.postgresql.Driver");
		while ((line = in.readLine()) != null) {
			String[] words = line.split("\t", -1);
			out.println(login(words[0], words[1], words[2]).replace('\n', ' '));
		}
	}

	private static String login(String url, String user, String password) {
		try (Connection c = DriverManager.getConnection(url, user, password);
				Statement s = c.createStatement();
				ResultSet r = s.executeQuery("select 1")) {
			return r.next() && r.getInt(1) == 1 ? "ok" : "no row";
		} catch (SQLException e) {
			return e.getSQLState() + ": " + e.getMessage();
		}
	}
}
