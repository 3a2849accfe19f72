package bartizan;

import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import org.apache.sshd.client.SshClient;
import org.apache.sshd.client.channel.ChannelExec;
import org.apache.sshd.client.channel.ClientChannelEvent;
import org.apache.sshd.client.config.hosts.HostConfigEntry;
import org.apache.sshd.client.config.hosts.HostConfigEntryResolver;
import org.apache.sshd.client.session.ClientSession;
import org.apache.sshd.common.config.keys.KeyUtils;
import org.apache.sshd.common.config.keys.PublicKeyEntry;
import org.apache.sshd.common.keyprovider.FileKeyPairProvider;
import org.apache.sshd.common.keyprovider.KeyIdentityProvider;
import org.apache.sshd.common.signature.BuiltinSignatures;
import org.apache.sshd.core.CoreModuleProperties;
import org.apache.sshd.sftp.client.SftpClientFactory;

/** Apache MINA sshd's client, with its proxyJump for jump mode. */
final class Mina implements Job.Client {
	private static final Duration PATIENCE = Duration.ofSeconds(25);

	private static KeyPair identity(Job job) throws Exception {
		KeyPair key = new FileKeyPairProvider(Path.of(job.key)).loadKeys(null).iterator().next();
		if (job.certificate == null)
			return key;
		var entry = PublicKeyEntry.parsePublicKeyEntry(Files.readString(Path.of(job.certificate)).strip());
		return new KeyPair(entry.resolvePublicKey(null, Map.of(), null), key.getPrivate());
	}

	private static ClientSession logIn(Job job) throws Exception {
		SshClient client = SshClient.setUpDefaultClient();
		var wanted = PublicKeyEntry.parsePublicKeyEntry(job.host_key).resolvePublicKey(null, Map.of(), null);
		client.setServerKeyVerifier((session, address, shown) -> KeyUtils.compareKeys(shown, wanted));
		client.setHostConfigEntryResolver(HostConfigEntryResolver.EMPTY);
		client.setKeyIdentityProvider(KeyIdentityProvider.wrapKeyPairs(identity(job)));
		client.setSignatureFactories(List.copyOf(EnumSet.allOf(BuiltinSignatures.class).stream().filter(BuiltinSignatures::isSupported).toList()));
		if (job.rekey > 0)
			CoreModuleProperties.REKEY_BYTES_LIMIT.set(client, job.rekey);
		client.start();
		String jump = job.jump == null ? null : job.jump.user() + "@" + job.jump.host() + ":" + job.jump.port();
		ClientSession session = client.connect(new HostConfigEntry(job.host, job.host, job.port, job.user, jump)).verify(PATIENCE).getSession();
		session.auth().verify(PATIENCE);
		return session;
	}

	public String version() {
		return SshClient.setUpDefaultClient().getVersion().replaceFirst(".*-", "");
	}

	public JsonObject run(Job job) throws Exception {
		ClientSession session = logIn(job);
		try (ChannelExec channel = session.createExecChannel(job.command, null, job.env)) {
			var output = job.output();
			channel.setIn(job.input());
			channel.setOut(output);
			channel.setErr(job.errors());
			channel.open().verify(PATIENCE);
			channel.waitFor(EnumSet.of(ClientChannelEvent.CLOSED), Duration.ZERO);
			output.close();
			return job.answer(channel.getExitStatus());
		}
	}

	public void files(Job job) throws Exception {
		try (var sftp = SftpClientFactory.instance().createSftpClient(logIn(job))) {
			try (var to = sftp.write(job.remote)) {
				Files.copy(Path.of(job.local), to);
			}
			try (var from = sftp.read(job.remote)) {
				Files.copy(from, Path.of(job.back));
			}
		}
	}

	public static void main(String[] words) {
		Job.serve(new Mina());
	}
}
