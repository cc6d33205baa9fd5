// pgjdbc's CopyManager: rows into a table and out of it, in a transaction and outside of one, right and wrong ones.
// Environment: PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD of a server on which the user may make schemas. The last line is
// `N passed, N failed, N skipped`.

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Objects;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;

public class JdbcCopy {
    static int passed = 0;
    static int failed = 0;

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

    static Connection connect() throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("reWriteBatchedInserts", "true");
        String address = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection("jdbc:postgresql://" + address, properties);
    }

    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static long count(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
            ResultSet rows = statement.executeQuery("SELECT count(*) FROM jdbc_copy.t")) {
            rows.next();
            return rows.getLong(1);
        }
    }

    static CopyManager copies(Connection connection) throws SQLException {
        return connection.unwrap(PGConnection.class).getCopyAPI();
    }

    static void inAndOut(Connection connection) throws Exception {
        CopyManager copies = copies(connection);
        String text = "1\tone\t1.50\n2\t\\N\t\\N\n3\ta\\tb\t-0.25\n";
        equal("text rows in", copies.copyIn("COPY jdbc_copy.t FROM STDIN", new StringReader(text)), 3L);
        StringWriter out = new StringWriter();
        equal("text rows out", copies.copyOut("COPY (SELECT * FROM jdbc_copy.t ORDER BY id) TO STDOUT", out), 3L);
        equal("text is what it was", out.toString(), text);
        String csv = "id,word\n4,\"a, b\"\n5,\n";
        ByteArrayInputStream rows = new ByteArrayInputStream(csv.getBytes(StandardCharsets.UTF_8));
        equal("csv rows in", copies.copyIn("COPY jdbc_copy.t (id, word) FROM STDIN (FORMAT csv, HEADER)", rows), 2L);
        ByteArrayOutputStream binary = new ByteArrayOutputStream();
        equal("binary rows out", copies.copyOut("COPY (SELECT id + 100, word, amount FROM jdbc_copy.t) TO STDOUT (FORMAT binary)", binary), 5L);
        rows = new ByteArrayInputStream(binary.toByteArray());
        equal("binary rows in", copies.copyIn("COPY jdbc_copy.t FROM STDIN (FORMAT binary)", rows), 5L);
        equal("rows", count(connection), 10L);
    }

    static void wrong(Connection connection) throws Exception {
        CopyManager copies = copies(connection);
        long before = count(connection);
        fails("a number that is none", "22P02", () -> copies.copyIn("COPY jdbc_copy.t FROM STDIN", new StringReader("x\ta\t1\n")));
        fails("too few columns", "22P04", () -> copies.copyIn("COPY jdbc_copy.t FROM STDIN", new StringReader("20\n")));
        fails("a key that is there", "23505", () -> copies.copyIn("COPY jdbc_copy.t (id) FROM STDIN", new StringReader("1\n")));
        fails("a table that is not there", "42P01", () -> copies.copyIn("COPY nothing FROM STDIN", new StringReader("1\n")));
        CopyIn given = copies.copyIn("COPY jdbc_copy.t (id) FROM STDIN");
        byte[] row = "21\n".getBytes(StandardCharsets.UTF_8);
        given.writeToCopy(row, 0, row.length);
        given.cancelCopy();
        equal("none of them left a row", count(connection), before);
    }

    static void inTransaction(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        long before = count(connection);
        copies(connection).copyIn("COPY jdbc_copy.t (id) FROM STDIN", new StringReader("30\n31\n"));
        equal("rows of the transaction", count(connection), before + 2);
        connection.rollback();
        equal("a rollback takes them back", count(connection), before);
        copies(connection).copyIn("COPY jdbc_copy.t (id) FROM STDIN", new StringReader("30\n31\n"));
        connection.commit();
        equal("a commit keeps them", count(connection), before + 2);
        connection.setAutoCommit(true);
    }

    static void batch(Connection connection) throws Exception {
        long before = count(connection);
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO jdbc_copy.t (id, word) VALUES (?, ?)")) {
            for (int id = 1000; id < 1100; id++) {
                statement.setInt(1, id);
                statement.setString(2, "w" + id);
                statement.addBatch();
            }
            equal("a batch of inserts", statement.executeBatch().length, 100);
        }
        equal("its rows", count(connection), before + 100);
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = connect()) {
            execute(connection, "CREATE SCHEMA jdbc_copy");
            execute(connection, "CREATE TABLE jdbc_copy.t (id integer PRIMARY KEY, word text, amount numeric(10, 2))");
            flow("in and out", () -> inAndOut(connection));
            flow("wrong", () -> wrong(connection));
            flow("in transaction", () -> inTransaction(connection));
            flow("batch", () -> batch(connection));
            execute(connection, "DROP SCHEMA jdbc_copy CASCADE");
        }
        System.out.println(passed + " passed, " + failed + " failed, 0 skipped");
        System.exit(failed == 0 ? 0 : 1);
    }
}
