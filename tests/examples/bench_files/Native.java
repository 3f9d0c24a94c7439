// Asks HDFS in its own protocol, and says how many nanoseconds each answer took. Lines come on
// standard input, and go to standard output. The first line out is "ready".
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

public class Native {
    private static FileSystem files;
    private static boolean syncs;

    /** The argument "hsync" makes every write wait for the disks. */
    public static void main(String[] arguments) throws Exception {
        syncs = arguments.length > 0 && arguments[0].equals("hsync");
        files = FileSystem.get(new Configuration());
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                System.out.println("took " + answer(line.split(" ")));
            } catch (Exception error) {
                System.out.println("failed " + error.toString().split("\n")[0]);
            }
        }
    }

    private static long answer(String[] words) throws Exception {
        Path path = new Path(words[1]);
        byte[] content = new byte[0];
        if (words[0].equals("put") || words[0].equals("append")) {
            content = new byte[Integer.parseInt(words[2])];
            new Random().nextBytes(content);
        }
        long start = System.nanoTime();
        switch (words[0]) {
            case "put" -> write(files.create(path, true), content);
            case "append" -> write(files.append(path), content);
            case "get" -> read(path);
            case "stat" -> files.getFileStatus(path);
            case "rename" -> check(files.rename(path, new Path(words[2])), "it is not renamed");
            default -> throw new IllegalArgumentException(words[0]);
        }
        return System.nanoTime() - start;
    }

    private static void write(FSDataOutputStream out, byte[] content) throws Exception {
        out.write(content);
        if (syncs) {
            out.hsync();
        }
        out.close();
    }

    private static void read(Path path) throws Exception {
        byte[] buffer = new byte[1 << 18];
        long length = files.getFileStatus(path).getLen();
        try (InputStream in = files.open(path)) {
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                length -= count;
            }
        }
        check(length == 0, "the length is another");
    }

    private static void check(boolean holds, String why) throws Exception {
        if (!holds) {
            throw new Exception(why);
        }
    }
}
