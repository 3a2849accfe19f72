package bartizan;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;

/** A job of the matrix, and how it is answered; the protocol is protocol.py's. The three Java clients share it. */
final class Job {
	static final class Skip extends Exception {
		Skip(String why) {
			super(why);
		}
	}

	record Place(String host, int port, String user) {
	}

	interface Client {
		String version() throws Exception;

		JsonObject run(Job job) throws Exception;

		void files(Job job) throws Exception;
	}

	String action, host, user, host_key, known_hosts, key, certificate, agent, command, stdin, sink, local, remote, back, scratch;
	int port;
	long rekey;
	Place jump;
	Map<String, String> env;

	private final transient ByteArrayOutputStream out = new ByteArrayOutputStream();
	private final transient ByteArrayOutputStream err = new ByteArrayOutputStream();
	private transient MessageDigest digest;
	private final transient JsonArray refused = new JsonArray();

	Place target() {
		return new Place(host, port, user);
	}

	/** Where the command's standard output goes. */
	OutputStream output() throws Exception {
		digest = MessageDigest.getInstance("SHA-256");
		return new DigestOutputStream(sink == null ? out : Files.newOutputStream(Path.of(sink)), digest);
	}

	OutputStream errors() {
		return err;
	}

	InputStream input() throws Exception {
		return stdin == null ? InputStream.nullInputStream() : Files.newInputStream(Path.of(stdin));
	}

	/** The server does not take this variable. */
	void refused(String name) {
		refused.add(name);
	}

	JsonObject answer(Integer status) {
		JsonObject got = new JsonObject();
		got.addProperty("status", status);
		got.addProperty("stderr", err.toString(StandardCharsets.UTF_8));
		if (!refused.isEmpty())
			got.add("refused", refused);
		if (sink == null)
			got.addProperty("stdout", out.toString(StandardCharsets.UTF_8));
		else
			got.addProperty("digest", HexFormat.of().formatHex(digest.digest()));
		return got;
	}

	/** The whole of an adapter. */
	static void serve(Client client) {
		Job job = new Gson().fromJson(new InputStreamReader(System.in, StandardCharsets.UTF_8), Job.class);
		JsonObject got = new JsonObject();
		try {
			switch (job.action) {
			case "version" -> got.addProperty("version", client.version());
			case "run" -> got = client.run(job);
			default -> {
				client.files(job);
				got.addProperty("status", 0);
			}
			}
		} catch (Skip why) {
			got.addProperty("skip", why.getMessage());
		} catch (Exception | LinkageError wrong) {
			if (System.getenv("TRACE") != null)
				wrong.printStackTrace();
			got.addProperty("error", wrong.toString());
		}
		System.out.println("\n" + got);
		System.out.flush();
		Runtime.getRuntime().halt(0);
	}
}
