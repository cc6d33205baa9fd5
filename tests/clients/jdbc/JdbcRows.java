// Reads every row of a query by fetch size and prints how many there were.
// Environment: PGHOST PGPORT PGDATABASE PGPASSWORD of a demo server. Argument: the query.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public class JdbcRows {
    public static void main(String[] arguments) throws SQLException {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, "hq", System.getenv("PGPASSWORD"))) {
            // Without a transaction pgjdbc reads the whole answer at once.
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10_000);
                long rows = 0;
                try (ResultSet answer = statement.executeQuery(arguments[0])) {
                    while (answer.next()) {
                        rows++;
                    }
                }
                System.out.println(rows);
            }
            connection.commit();
        }
    }
}
