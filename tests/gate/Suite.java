// Suite.java - the suite over JDBC: each test says its name by ApplicationName.
import java.io.FileReader;
import java.sql.*;
import java.util.*;

public class Suite {
    static Connection c;
    static final Properties views = new Properties();

    static List<String> orders(int n) throws SQLException {
        List<String> found = new ArrayList<>();
        try (PreparedStatement q = c.prepareStatement(views.getProperty("orders"))) {
            q.setInt(1, n);
            try (ResultSet r = q.executeQuery()) {
                while (r.next()) {
                    found.add(r.getMetaData().getColumnName(2).equals("name") ? r.getString(2) : customer(r.getInt(2)));
                }
            }
        }
        return found;
    }

    static String customer(int id) throws SQLException {
        try (PreparedStatement q = c.prepareStatement("SELECT name FROM customer WHERE id = ?")) {
            q.setInt(1, id);
            try (ResultSet r = q.executeQuery()) {
                r.next();
                return r.getString(1);
            }
        }
    }

    static long one(String sql, String... args) throws SQLException {
        try (PreparedStatement q = c.prepareStatement(sql)) {
            for (int i = 0; i < args.length; i++) {
                q.setString(i + 1, args[i]);
            }
            try (ResultSet r = q.executeQuery()) {
                return r.next() ? r.getLong(1) : -1;
            }
        }
    }

    interface Test {
        void run() throws SQLException;
    }

    static void check(boolean ok, String what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    public static void main(String[] args) throws Exception {
        views.load(new FileReader("views.properties"));
        c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE"), System.getenv("PGUSER"), "");
        try (Statement s = c.createStatement()) {
            s.execute("DROP TABLE IF EXISTS purchase, customer");
            s.execute("CREATE TABLE customer (id int PRIMARY KEY, name text, email text UNIQUE)");
            s.execute("CREATE TABLE purchase (id int PRIMARY KEY, customer_id int REFERENCES customer, note text)");
            s.execute("INSERT INTO customer SELECT i, 'c' || i, 'c' || i || '@example.org' FROM generate_series(1, 12) i");
            s.execute("INSERT INTO purchase SELECT i, i, 'n' FROM generate_series(1, 12) i");
        }
        Map<String, Test> tests = new LinkedHashMap<>();
        tests.put("list", () -> check(orders(12).size() == 12, "list"));
        tests.put("by_email", () -> check(one(views.getProperty("by_email"), "c3@example.org") == 3, "by_email"));
        tests.put("total", () -> check(one(views.getProperty("total")) == 12, "total"));
        List<String> names = new ArrayList<>(tests.keySet());
        Collections.shuffle(names);
        for (String name : names) {
            c.setClientInfo("ApplicationName", "test " + name);
            c.setAutoCommit(false);
            tests.get(name).run();
            c.commit();
            c.setAutoCommit(true);
        }
    }
}
