package bartizan;

import com.google.gson.JsonObject;
import java.io.File;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import net.schmizz.sshj.SSHClient;
import net.schmizz.sshj.connection.ConnectionException;
import net.schmizz.sshj.connection.channel.direct.Session;

/** sshj; jump mode by its direct connections. It finds a certificate beside the key, and only there. */
final class Sshj implements Job.Client {
	private static SSHClient client(Job job) throws Exception {
		SSHClient client = new SSHClient();
		client.loadKnownHosts(new File(job.known_hosts));
		client.setConnectTimeout(25000);
		client.setTimeout(25000);
		return client;
	}

	private static SSHClient logIn(Job job) throws Exception {
		if (job.rekey > 0)
			throw new Job.Skip("sshj cannot be told when to rekey");
		SSHClient client = client(job);
		if (job.jump == null) {
			client.connect(job.host, job.port);
		} else {
			SSHClient outer = client(job);
			outer.connect(job.jump.host(), job.jump.port());
			outer.authPublickey(job.jump.user(), job.key);
			client.connectVia(outer.newDirectConnection(job.host, job.port));
		}
		client.authPublickey(job.user, job.key);
		return client;
	}

	public String version() {
		return new net.schmizz.sshj.DefaultConfig().getVersion().replaceFirst("SSHJ_", "");
	}

	public JsonObject run(Job job) throws Exception {
		Session session = logIn(job).startSession();
		for (Map.Entry<String, String> one : job.env.entrySet()) {
			try {
				session.setEnvVar(one.getKey(), one.getValue());
			} catch (ConnectionException wrong) {
				job.refused(one.getKey());
			}
		}
		Session.Command command = session.exec(job.command);
		Thread feeder = new Thread(() -> {
			try (var input = job.input(); var to = command.getOutputStream()) {
				input.transferTo(to);
			} catch (Exception wrong) {
				System.err.println(wrong);
			}
		});
		Thread errors = new Thread(() -> {
			try {
				command.getErrorStream().transferTo(job.errors());
			} catch (Exception wrong) {
				System.err.println(wrong);
			}
		});
		feeder.start();
		errors.start();
		try (var output = job.output()) {
			command.getInputStream().transferTo(output);
		}
		feeder.join();
		errors.join();
		command.join(25, TimeUnit.SECONDS);
		return job.answer(command.getExitStatus());
	}

	public void files(Job job) throws Exception {
		try (var sftp = logIn(job).newSFTPClient()) {
			sftp.put(job.local, job.remote);
			sftp.get(job.remote, job.back);
		}
	}

	public static void main(String[] words) {
		Job.serve(new Sshj());
	}
}
