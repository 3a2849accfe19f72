// Go's x/crypto/ssh with pkg/sftp; jump mode by a connection dialled through the first. The protocol is protocol.py's.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

type place struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	User string `json:"user"`
}

type job struct {
	place
	Action      string            `json:"action"`
	HostKey     string            `json:"host_key"`
	Key         string            `json:"key"`
	Certificate string            `json:"certificate"`
	Agent       string            `json:"agent"`
	Jump        *place            `json:"jump"`
	Command     string            `json:"command"`
	Stdin       string            `json:"stdin"`
	Sink        string            `json:"sink"`
	Env         map[string]string `json:"env"`
	Rekey       uint64            `json:"rekey"`
	Local       string            `json:"local"`
	Remote      string            `json:"remote"`
	Back        string            `json:"back"`
}

type answer map[string]any

func (j *job) signers() (ssh.AuthMethod, error) {
	if j.Agent != "" {
		connection, err := net.Dial("unix", j.Agent)
		if err != nil {
			return nil, err
		}
		return ssh.PublicKeysCallback(agent.NewClient(connection).Signers), nil
	}
	text, err := os.ReadFile(j.Key)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil || j.Certificate == "" {
		return ssh.PublicKeys(signer), err
	}
	if text, err = os.ReadFile(j.Certificate); err != nil {
		return nil, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, err
	}
	signer, err = ssh.NewCertSigner(public.(*ssh.Certificate), signer)
	return ssh.PublicKeys(signer), err
}

func (j *job) connect(where *place, connection net.Conn) (*ssh.Client, error) {
	method, err := j.signers()
	if err != nil {
		return nil, err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(j.HostKey))
	if err != nil {
		return nil, err
	}
	config := &ssh.ClientConfig{User: where.User, Auth: []ssh.AuthMethod{method}, HostKeyCallback: ssh.FixedHostKey(hostKey),
		HostKeyAlgorithms: []string{hostKey.Type()}, Timeout: 25 * time.Second}
	config.RekeyThreshold = j.Rekey
	address := fmt.Sprintf("%s:%d", where.Host, where.Port)
	if connection == nil {
		if connection, err = net.Dial("tcp", address); err != nil {
			return nil, err
		}
	}
	transport, channels, requests, err := ssh.NewClientConn(connection, address, config)
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(transport, channels, requests), nil
}

func (j *job) logIn() (*ssh.Client, error) {
	if j.Jump == nil {
		return j.connect(&j.place, nil)
	}
	outer, err := j.connect(j.Jump, nil)
	if err != nil {
		return nil, err
	}
	connection, err := outer.Dial("tcp", fmt.Sprintf("%s:%d", j.Host, j.Port))
	if err != nil {
		return nil, err
	}
	return j.connect(&j.place, connection)
}

func (j *job) run() (answer, error) {
	client, err := j.logIn()
	if err != nil {
		return nil, err
	}
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	refused := []string{}
	for name, value := range j.Env {
		if err := session.Setenv(name, value); err != nil {
			refused = append(refused, name)
		}
	}
	var out, stderr bytes.Buffer
	digest := sha256.New()
	session.Stdout, session.Stderr = io.MultiWriter(&out, digest), &stderr
	if j.Stdin != "" {
		if session.Stdin, err = os.Open(j.Stdin); err != nil {
			return nil, err
		}
	}
	status := 0
	var exit *ssh.ExitError
	if err = session.Run(j.Command); errors.As(err, &exit) {
		status = exit.ExitStatus()
	} else if err != nil {
		return nil, err
	}
	got := answer{"status": status, "stderr": stderr.String()}
	if len(refused) > 0 {
		got["refused"] = refused
	}
	if j.Sink != "" {
		got["digest"] = hex.EncodeToString(digest.Sum(nil))
	} else {
		got["stdout"] = out.String()
	}
	return got, nil
}

func copyFile(to io.Writer, from io.Reader, err error) error {
	if err == nil {
		_, err = io.Copy(to, from)
	}
	return err
}

func (j *job) files() (answer, error) {
	client, err := j.logIn()
	if err != nil {
		return nil, err
	}
	files, err := sftp.NewClient(client)
	if err != nil {
		return nil, err
	}
	local, err := os.Open(j.Local)
	if err != nil {
		return nil, err
	}
	remote, err := files.Create(j.Remote)
	if err = copyFile(remote, local, err); err != nil {
		return nil, err
	}
	if err = remote.Close(); err != nil {
		return nil, err
	}
	if remote, err = files.Open(j.Remote); err != nil {
		return nil, err
	}
	back, err := os.Create(j.Back)
	return answer{"status": 0}, copyFile(back, remote, err)
}

func (j *job) version() (answer, error) {
	versions := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "golang.org/x/crypto" {
				versions = module.Version
			}
		}
	}
	return answer{"version": versions}, nil
}

func main() {
	var j job
	err := json.NewDecoder(os.Stdin).Decode(&j)
	got := answer{}
	if err == nil {
		actions := map[string]func() (answer, error){"version": j.version, "run": j.run, "files": j.files}
		got, err = actions[j.Action]()
	}
	if err != nil {
		got = answer{"error": err.Error()}
	}
	text, _ := json.Marshal(got)
	fmt.Printf("\n%s\n", text)
}
