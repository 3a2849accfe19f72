package bartizan;

import com.google.gson.JsonObject;
import com.jcraft.jsch.ChannelExec;
import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import java.util.Map;

/** JSch (the maintained one); jump mode by a forwarded local port. */
final class Jsch implements Job.Client {
	private static final int MILLISECONDS = 25000;

	private Session connect(Job job, String host, int port, String user) throws Exception {
		JSch library = new JSch();
		library.setKnownHosts(job.known_hosts);
		library.addIdentity(job.key, job.certificate, null);
		Session session = library.getSession(user, host, port);
		session.setConfig("PreferredAuthentications", "publickey");
		session.setConfig("StrictHostKeyChecking", "yes");
		session.setHostKeyAlias("target");
		session.connect(MILLISECONDS);
		return session;
	}

	private Session logIn(Job job) throws Exception {
		if (job.jump == null)
			return connect(job, job.host, job.port, job.user);
		Session outer = connect(job, job.jump.host(), job.jump.port(), job.jump.user());
		int port = outer.setPortForwardingL("127.0.0.1", 0, job.host, job.port);
		return connect(job, "127.0.0.1", port, job.user);
	}

	public String version() {
		return JSch.VERSION;
	}

	public JsonObject run(Job job) throws Exception {
		Session session = logIn(job);
		if (job.rekey > 0)
			session.rekey(); // by a call only
		ChannelExec channel = (ChannelExec) session.openChannel("exec");
		for (Map.Entry<String, String> one : job.env.entrySet())
			channel.setEnv(one.getKey(), one.getValue());
		channel.setCommand(job.command);
		channel.setInputStream(job.input());
		channel.setErrStream(job.errors());
		var from = channel.getInputStream();
		channel.connect(MILLISECONDS);
		try (var output = job.output()) {
			from.transferTo(output);
		}
		while (!channel.isClosed())
			Thread.sleep(5); // JSch tells nobody when the exit status has come
		return job.answer(channel.getExitStatus());
	}

	public void files(Job job) throws Exception {
		ChannelSftp sftp = (ChannelSftp) logIn(job).openChannel("sftp");
		sftp.connect(MILLISECONDS);
		sftp.put(job.local, job.remote);
		sftp.get(job.remote, job.back);
	}

	public static void main(String[] words) {
		Job.serve(new Jsch());
	}
}
