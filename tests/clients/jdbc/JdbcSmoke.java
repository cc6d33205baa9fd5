// pgjdbc against the demo: login, metadata, streaming by fetch size, server-side prepared statements, cancel, time-out.
// Environment: PGHOST PGPORT PGDATABASE PGPASSWORD of a demo server. The last line is `N passed, N failed, N skipped`.

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Properties;

public class JdbcSmoke {
    static int passed = 0;
    static int failed = 0;

    static final String SLOW = "SELECT sum(sin(a.value + b.value * 0.5) * cos(a.value * 0.25 - c.value)) FROM generate_series(1, 4000) AS a (value)"
        + " CROSS JOIN generate_series(1, 4000) AS b (value) CROSS JOIN generate_series(1, 4000) AS c (value)";

    interface Run {
        void run() throws Exception;
    }

    static void equal(String claim, Object got, Object wanted) {
        if (Objects.equals(got, wanted)) {
            passed++;
            System.out.println("ok   " + claim);
        } else {
            failed++;
            System.out.println("FAIL " + claim + ": got " + got + ", expected " + wanted);
        }
    }

    static void fails(String claim, String sqlState, Run run) throws Exception {
        try {
            run.run();
            equal(claim, "no error", sqlState);
        } catch (SQLException error) {
            equal(claim, error.getSQLState(), sqlState);
        }
    }

    static void flow(String name, Run run) {
        try {
            run.run();
        } catch (Throwable error) {
            failed++;
            System.out.println("FAIL " + name + ": " + error);
            error.printStackTrace(System.out);
        }
    }

    static Connection connect(String user, String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", user);
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        for (int i = 0; i < options.length; i += 2) {
            properties.setProperty(options[i], options[i + 1]);
        }
        String address = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection("jdbc:postgresql://" + address, properties);
    }

    static String value(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    static void login() throws Exception {
        for (String user : new String[] {"hq", "wecom", "tmall", "douyin"}) {
            try (Connection connection = connect(user)) {
                equal(user + " logs in", value(connection, "SELECT current_user"), user);
            }
        }
        fails("a wrong password is 28P01", "28P01", () -> connect("hq", "password", "wrong"));
        try (Connection connection = connect("hq", "sslmode", "require", "ApplicationName", "jdbc-smoke")) {
            equal("application_name is kept", value(connection, "SHOW application_name"), "jdbc-smoke");
            equal("the major version is 16", connection.getMetaData().getDatabaseMajorVersion(), 16);
        }
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(name));
        }
        return values;
    }

    static void metadata() throws Exception {
        try (Connection connection = connect("hq")) {
            DatabaseMetaData about = connection.getMetaData();
            List<String> tables = column(about.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME");
            for (String table : new String[] {"orders", "order_items", "interactions", "customers", "channel_costs"}) {
                equal("getTables lists " + table, tables.contains(table), true);
            }
            equal("getTables lists the marts as views", column(about.getTables(null, "mart", "%", new String[] {"VIEW"}), "TABLE_NAME").contains("rfm"), true);
            equal("getSchemas lists mart", column(about.getSchemas(), "TABLE_SCHEM").contains("mart"), true);
            try (ResultSet rows = about.getColumns(null, "public", "orders", "%")) {
                List<String> names = new ArrayList<>();
                int paidType = 0, paidScale = 0, timeType = 0;
                String remark = null;
                while (rows.next()) {
                    names.add(rows.getString("COLUMN_NAME"));
                    if (rows.getString("COLUMN_NAME").equals("paid_amount")) {
                        paidType = rows.getInt("DATA_TYPE");
                        paidScale = rows.getInt("DECIMAL_DIGITS");
                    }
                    if (rows.getString("COLUMN_NAME").equals("order_time")) {
                        timeType = rows.getInt("DATA_TYPE");
                        remark = rows.getString("REMARKS");
                    }
                }
                equal("getColumns begins with the key", names.subList(0, Math.min(2, names.size())), List.of("channel", "order_id"));
                equal("paid_amount is numeric", paidType, Types.NUMERIC);
                equal("paid_amount has scale 2", paidScale, 2);
                equal("order_time is a timestamp", timeType, Types.TIMESTAMP);
                equal("order_time has its comment", remark, "When the customer placed the order");
            }
            equal("getPrimaryKeys of orders", column(about.getPrimaryKeys(null, "public", "orders"), "COLUMN_NAME"), List.of("channel", "order_id"));
            about.getIndexInfo(null, "public", "orders", false, false).close();
            about.getImportedKeys(null, "public", "order_items").close();
            about.getTypeInfo().close();
            about.getFunctions(null, null, "rfm%").close();
            equal("getIndexInfo, getImportedKeys, getTypeInfo, getFunctions answer", true, true);
            try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT one_id, paid_amount, order_time, extras FROM orders LIMIT 1")) {
                ResultSetMetaData shape = rows.getMetaData();
                equal("types of an answer", List.of(shape.getColumnTypeName(1), shape.getColumnTypeName(2), shape.getColumnTypeName(3), shape.getColumnTypeName(4)), List.of("int8", "numeric", "timestamptz", "json"));
            }
        }
        try (Connection connection = connect("wecom")) {
            List<String> tables = column(connection.getMetaData().getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME");
            equal("wecom is not told of identities", tables.contains("identities"), false);
        }
    }

    static void prepared() throws Exception {
        try (Connection connection = connect("hq"); PreparedStatement statement = connection.prepareStatement(
            "SELECT count(*), sum(paid_amount), max(order_time) FROM orders WHERE channel = ? AND paid_amount >= ? AND order_time >= ?")) {
            long all = Long.parseLong(value(connection, "SELECT count(*) FROM orders WHERE channel = 'tmall' AND paid_amount >= 10"));
            // From the fifth run on pgjdbc prepares on the server and asks for binary.
            for (int run = 1; run <= 8; run++) {
                statement.setString(1, "tmall");
                statement.setBigDecimal(2, new BigDecimal("10.00"));
                statement.setObject(3, OffsetDateTime.parse("2000-01-01T00:00:00Z"));
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    equal("run " + run + " of a prepared statement", rows.getLong(1), all);
                    equal("run " + run + ": a time is there", rows.getObject(3, OffsetDateTime.class) != null, true);
                    equal("run " + run + ": a sum is there", rows.getBigDecimal(2).scale(), 2);
                }
            }
        }
    }

    static void streams() throws Exception {
        int rows = 300_000;
        String sql = "SELECT value FROM generate_series(1, " + rows + ") AS s (value)";
        try (Connection connection = connect("hq")) {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(1_000);
                int count = 0;
                try (ResultSet answer = statement.executeQuery(sql)) {
                    while (answer.next()) {
                        count++;
                    }
                }
                equal("fetch size: every row arrives", count, rows);
                try (ResultSet answer = statement.executeQuery(sql)) {
                    answer.next();
                }
                equal("fetch size: a result may be left early", value(connection, "SELECT 1"), "1");
            }
            connection.commit();
            fails("an unknown table is 42P01", "42P01", () -> value(connection, "SELECT * FROM nope"));
            fails("a failed transaction answers 25P02", "25P02", () -> value(connection, "SELECT 1"));
            connection.rollback();
            equal("rollback heals", value(connection, "SELECT 2"), "2");
        }
    }

    static void cancel() throws Exception {
        try (Connection connection = connect("hq"); Statement statement = connection.createStatement()) {
            // Should nothing cancel it, the statement still ends.
            statement.execute("SET statement_timeout = '60s'");
            Thread canceller = new Thread(() -> {
                try (Connection watcher = connect("hq")) {
                    long deadline = System.nanoTime() + 10_000_000_000L;
                    String running = "SELECT count(*) FROM henna.activity WHERE state = 'active' AND query LIKE '%sin(%' AND query NOT LIKE '%activity%'";
                    while (value(watcher, running).equals("0") && System.nanoTime() < deadline) {
                        Thread.onSpinWait();
                    }
                } catch (SQLException error) {
                    System.out.println("FAIL the activity is told: " + error);
                }
                try {
                    statement.cancel();
                } catch (SQLException error) {
                    System.out.println("FAIL cancel is sent: " + error);
                }
            });
            canceller.start();
            long started = System.nanoTime();
            fails("Statement.cancel is 57014", "57014", () -> statement.executeQuery(SLOW));
            canceller.join();
            equal("before its time-out", System.nanoTime() - started < 30_000_000_000L, true);
            statement.setQueryTimeout(1);
            long began = System.nanoTime();
            fails("setQueryTimeout is 57014", "57014", () -> statement.executeQuery(SLOW));
            equal("the time-out is kept", System.nanoTime() - began < 3_000_000_000L, true);
            statement.setQueryTimeout(0);
            equal("the connection goes on", value(connection, "SELECT 3"), "3");
        }
    }

    public static void main(String[] arguments) {
        flow("login", JdbcSmoke::login);
        flow("metadata", JdbcSmoke::metadata);
        flow("prepared", JdbcSmoke::prepared);
        flow("streams", JdbcSmoke::streams);
        flow("cancel", JdbcSmoke::cancel);
        System.out.println("\n" + passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed == 0 ? 0 : 1);
    }
}
