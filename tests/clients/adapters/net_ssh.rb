# net-ssh and net-sftp of Ruby; jump mode by a forwarded local port, as Net::SSH::Gateway does it. The protocol is protocol.py's.
require "json"
require "digest"
require "socket"

def options(job, where)
  got = { port: where["port"], config: false, non_interactive: true, timeout: 25, use_agent: !job["agent"].nil?,
          user_known_hosts_file: job["known_hosts"], global_known_hosts_file: "/dev/null", verify_host_key: :always, host_key_alias: "target" }
  got[:keys_only] = true unless job["agent"]
  got[:keys] = [job["key"]] if job["key"]
  got[:keycerts] = [job["certificate"]] if job["certificate"]
  got[:rekey_limit] = job["rekey"] if job["rekey"]
  got
end

def log_in(job)
  ENV["SSH_AUTH_SOCK"] = job["agent"] if job["agent"]
  through = options(job, job)
  if job["jump"]
    require "net/ssh/proxy/jump"
    outer = Net::SSH.start(job["jump"]["host"], job["jump"]["user"], options(job, job["jump"]))
    # The outer connection is served by a thread; the inner one goes through a local port.
    port = outer.forward.local(0, job["host"], job["port"])
    Thread.new { outer.loop(0.01) { true } }
    through[:port] = port
    return Net::SSH.start("127.0.0.1", job["user"], through)
  end
  Net::SSH.start(job["host"], job["user"], through)
end

def run(job)
  session = log_in(job)
  status, err = nil, +""
  out = job["sink"] ? File.open(job["sink"], "wb") : +""
  channel = session.open_channel do |opened|
    (job["env"] || {}).each { |name, value| opened.env(name, value) }
    opened.exec(job["command"]) do |same, ok|
      raise "exec refused" unless ok
      same.on_data { |_, data| out << data }
      same.on_extended_data { |_, _, data| err << data }
      same.on_request("exit-status") { |_, data| status = data.read_long }
      File.open(job["stdin"], "rb") { |source| same.send_data(source.read) } if job["stdin"]
      same.eof!
    end
  end
  channel.wait
  if job["sink"]
    out.close
    return { status: status, stderr: err, digest: Digest::SHA256.file(job["sink"]).hexdigest }
  end
  { status: status, stdout: out, stderr: err }
end

def files(job)
  require "net/sftp"
  session = log_in(job)
  sftp = Net::SFTP::Session.new(session).connect!
  sftp.upload!(job["local"], job["remote"])
  sftp.download!(job["remote"], job["back"])
  { status: 0 }
end

def version(_job)
  { version: Net::SSH::Version::STRING }
end

job = JSON.parse($stdin.read)
begin
  require "net/ssh"
  answer = { "version" => method(:version), "run" => method(:run), "files" => method(:files) }[job["action"]].call(job)
rescue LoadError => wrong
  answer = { job["action"] == "version" ? :missing : :error => wrong.message }
rescue StandardError => wrong
  answer = { error: "#{wrong.class}: #{wrong.message}" }
end
puts "\n" + JSON.generate(answer)
$stdout.flush
exit!(0)
