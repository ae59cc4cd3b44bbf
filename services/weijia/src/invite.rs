//! `weijia invite`: lets in the first people of an installation, or gives somebody a new password.

use std::process::ExitCode;

use serde_json::json;
use weijia_core::account::{self, Keys, NewUser, PasswordHasher, Phone, one_time_password};
use weijia_core::time::At;
use weijia_core::{audit, region};

use crate::secret::Secret;
use crate::serve::load_reference_data;
use crate::settings::{InviteOptions, Settings};

pub async fn run(settings: &Settings, options: &InviteOptions) -> Result<ExitCode, String> {
    let phone: Phone =
        options.phone.parse().map_err(|r: weijia_core::error::Refusal| format!("{}{}", r.message, r.next_step))?;
    settings.prepare_data_folder()?;
    let secret = Secret::load_or_create(&settings.secret_file())?;
    let db = settings.open_database().await?;
    secret.belongs_to(&db).await?;
    load_reference_data(&db).await?;
    let keys = Keys::from_master(secret.bytes());
    let password = one_time_password();
    let hash = PasswordHasher::new().hash(&password).await.map_err(|e| e.to_string())?;

    let words = |e: weijia_core::Error| match e {
        weijia_core::Error::Refused(r) | weijia_core::Error::Conflict(r) => format!("{}{}", r.message, r.next_step),
        weijia_core::Error::NotFound => {
            format!("没有区划代码 {}。省写 43，市写 4 位，县写 6 位，比如龙山县是 433130。", options.region)
        }
        other => other.to_string(),
    };
    let done = async {
        let mut tx = db.write().await?;
        let now = At::now();
        let place = region::reference(&mut tx, &options.region).await?;
        let user = match account::find_by_phone(&mut tx, &keys, &phone).await? {
            Some(user) => {
                account::set_password(&mut tx, &user, &hash, account::Secret::Issued).await?;
                user
            }
            None => {
                let new =
                    NewUser { name: &options.name, phone: &phone, region_code: &options.region, password_hash: &hash };
                account::create(&mut tx, &keys, now, new).await?
            }
        };
        let known = account::principal(&mut tx, now, &user).await?;
        let path = region::get(&mut tx, &options.region).await?.path;
        if options.admin && !known.admin {
            account::grant_admin(&mut tx, now, &user, None).await?;
        }
        if !options.admin && !known.staff_paths.contains(&path) {
            account::grant_staff(&mut tx, now, &user, &options.region, None).await?;
        }
        let detail = json!({"region": options.region, "admin": options.admin});
        audit::append(&mut tx, now, None, "person.invited", user.as_str(), &detail).await?;
        tx.commit().await?;
        Ok(place.path_names.join(" "))
    };
    let place = done.await.map_err(words)?;
    let role = if options.admin { "系统管理员".to_owned() } else { format!("工作人员，管 {place}") };
    println!("{}（{}）可以登录了：{role}。", options.name, phone.masked());
    println!("密码：{password}");
    println!("当面告诉她。忘了就再运行一次这条命令，旧密码和已经登录的地方随即失效。");
    Ok(ExitCode::SUCCESS)
}
